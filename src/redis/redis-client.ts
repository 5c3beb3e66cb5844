import type { Cluster, Redis } from 'ioredis'

/** An ioredis client for one server, for the primary behind Sentinels, or for a Cluster. */
export type RedisClient = Redis | Cluster
