import rateLimit, { normalizeIP } from '@fastify/rate-limit'
import fastify from 'fastify'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Milliseconds } from '../src/clock.js'
import { withinDeadline } from '../src/deadline.js'
import type { RedisClient } from '../src/redis/redis-client.js'

/** A counter per key, in a fixed window that starts with the first count. */
export interface Limiter {
  /** Returns the seconds until one more is allowed, or 0 if it is allowed now. Doesn't count. */
  waitSeconds(key: string): Promise<number>
  /** Counts one. Returns the seconds to wait if the limit is exceeded, else 0. */
  count(key: string): Promise<number>
}

export interface Limit {
  /** Prefix of the limiter's Redis keys. */
  readonly namespace: string
  readonly max: number
  readonly per: Milliseconds
}

/**
 * Creates one limiter per name. Each has its own local store, so a flood of addresses can't displace the counters of
 * accounts.
 */
export async function createLimiters<Name extends string>(
  limits: Record<Name, Limit>,
  redis: RedisClient | undefined,
): Promise<Record<Name, Limiter>> {
  const limiters = {} as Record<Name, Limiter>
  for (const name of Object.keys(limits) as Name[]) {
    const store = await createLimitStore(redis)
    limiters[name] = store.limiter(limits[name])
  }
  return limiters
}

export interface LimitStore {
  /** Returns a limiter. Creating one is cheap, because its state is in the store under its namespace. */
  limiter(limit: Limit): Limiter
}

/** Counters in one local store, about 2 MB. The least recently used counter is dropped first. */
const MAX_LOCAL_COUNTERS = 5_000

/**
 * Creates a store for any number of limits, on @fastify/rate-limit. It counts in Redis if `redis` is set. While Redis
 * doesn't respond, each instance counts in its own memory, with at most `localCounters` counters.
 */
export async function createLimitStore(
  redis: RedisClient | undefined,
  localCounters = MAX_LOCAL_COUNTERS,
): Promise<LimitStore> {
  const local = await createCounter({ cache: localCounters })
  if (redis === undefined) return { limiter: (limit) => selectLimiter(local, limit) }
  const count = withFallback(await createCounter({ redis }), local)
  return { limiter: (limit) => selectLimiter(count, limit) }
}

/** Time limit for one count in Redis, before the local counter is used. Logins queue, so their delays add up. */
const MAX_REDIS_WAIT: Milliseconds = 250
/** How long only the local counters are used after an error or a timeout of Redis. */
const REDIS_PAUSE: Milliseconds = 1_000

function withFallback(shared: Counter, local: Counter): Counter {
  let pausedUntil = 0
  return async (counted, options) => {
    if (performance.now() < pausedUntil) return local(counted, options)
    try {
      return await withinDeadline(shared(counted, options), MAX_REDIS_WAIT)
    } catch {
      pausedUntil = performance.now() + REDIS_PAUSE
      return local(counted, options)
    }
  }
}

/**
 * A stand-in for a Fastify request. @fastify/rate-limit reads only `routeOptions` of it, and our callbacks the rest.
 */
interface CountedRequest {
  readonly key: string
  readonly limit: Limit
  readonly routeOptions: object
}

type Counter = (
  counted: CountedRequest,
  options?: { readonly increment: boolean },
) => ReturnType<ReturnType<FastifyInstance['createRateLimit']>>

/**
 * Registers @fastify/rate-limit once for all limits of a store. A registration per limit would need one Fastify context
 * each, which is expensive. The separate Fastify instance never listens. There the plugin can't conflict with a
 * @fastify/rate-limit that the host registers.
 */
async function createCounter(store: { readonly cache: number } | { readonly redis: RedisClient }) {
  const island = fastify()
  const toCounted = (request: FastifyRequest) => request as unknown as CountedRequest
  await island.register(rateLimit, {
    global: false,
    max: (request) => toCounted(request).limit.max,
    timeWindow: (request) => toCounted(request).limit.per,
    // Empty, because `keyGenerator` adds the namespace, which differs between the limits of one store.
    nameSpace: '',
    keyGenerator: (request) => toCounted(request).limit.namespace + toCounted(request).key,
    ...store,
  })
  await island.ready()
  const count = island.createRateLimit()
  return ((counted, options) => count(counted as unknown as FastifyRequest, options)) satisfies Counter
}

function selectLimiter(count: Counter, limit: Limit): Limiter {
  const counted = (key: string): CountedRequest => ({ key, limit, routeOptions: {} })
  return {
    async waitSeconds(key) {
      const state = await count(counted(key), { increment: false })
      return !state.isAllowed && state.remaining === 0 ? Math.max(1, state.ttlInSeconds) : 0
    },
    async count(key) {
      const state = await count(counted(key))
      return !state.isAllowed && state.isExceeded ? Math.max(1, state.ttlInSeconds) : 0
    },
  }
}

/**
 * Returns the rate-limit key of an address. An IPv6 address counts by its /64, because a subscriber has at least a /64.
 * Peers without an address, on a Unix socket, share the key `none`.
 */
export function addressKey(ip: string | undefined): string {
  return normalizeIP(ip ?? 'none', 64)
}
