import type { Cluster, Redis } from 'ioredis'

/** A connection to Redis: one server (or a Sentinel's primary), or a Cluster. */
export type RedisClient = Redis | Cluster
