import rateLimit, { normalizeIP } from '@fastify/rate-limit'
import fastify from 'fastify'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Milliseconds } from '../src/clock.js'
import { withinDeadline } from '../src/deadline.js'
import type { RedisClient } from '../src/redis/redis-client.js'

/** Counts things under a key, in a window that begins with the first. */
export interface Limiter {
  /** Seconds until there is room for one more; 0 = there is. */
  waitSeconds(key: string): Promise<number>
  /** Counts one, and says how long to wait if that was one too many; 0 = it wasn't. */
  count(key: string): Promise<number>
}

export interface Limit {
  /** Begins the limiter's Redis keys. */
  readonly namespace: string
  readonly max: number
  readonly per: Milliseconds
}

/**
 * One limiter per name, each with a local store of its own: a flood of addresses must not push the failures of accounts
 * out of it.
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
  /** A limiter costs nothing to make: all of its state is in the store, under its namespace. */
  limiter(limit: Limit): Limiter
}

/** The counters that one local store holds; the least recently used one leaves first. About 2 MB. */
const LOCAL_COUNTERS = 5_000

/**
 * A store for any number of limits, on @fastify/rate-limit, in Redis where there is one. While Redis can't be asked,
 * each instance counts by itself, in `localCounters` counters at most.
 */
export async function createLimitStore(
  redis: RedisClient | undefined,
  localCounters = LOCAL_COUNTERS,
): Promise<LimitStore> {
  const local = await createCounter({ cache: localCounters })
  if (redis === undefined) return { limiter: (limit) => selectLimiter(local, limit) }
  const count = withFallback(await createCounter({ redis }), local)
  return { limiter: (limit) => selectLimiter(count, limit) }
}

/**
 * A limiter that takes longer counts as one that can't be asked: logins wait for each other, so its delays would add
 * up.
 */
const SLOW: Milliseconds = 250
/** For how long it isn't asked again then. */
const PAUSE: Milliseconds = 1_000

function withFallback(shared: Counter, local: Counter): Counter {
  let pausedUntil = 0
  return async (counted, options) => {
    if (performance.now() < pausedUntil) return local(counted, options)
    try {
      return await withinDeadline(shared(counted, options), SLOW)
    } catch {
      pausedUntil = performance.now() + PAUSE
      return local(counted, options)
    }
  }
}

/** A request as @fastify/rate-limit reads it: besides our own fields, only whether its route belongs to a group. */
interface Counted {
  readonly key: string
  readonly limit: Limit
  readonly routeOptions: object
}

type Counter = (
  counted: Counted,
  options?: { readonly increment: boolean },
) => ReturnType<ReturnType<FastifyInstance['createRateLimit']>>

/**
 * One registration of @fastify/rate-limit serves every limit: a Fastify context for each would cost as much as a plugin
 * per route. It is on a Fastify instance of its own that never listens, so that the host's @fastify/rate-limit and ours
 * don't meet.
 */
async function createCounter(store: { readonly cache: number } | { readonly redis: RedisClient }) {
  const island = fastify()
  const countedOf = (request: FastifyRequest) => request as unknown as Counted
  await island.register(rateLimit, {
    global: false,
    max: (request) => countedOf(request).limit.max,
    timeWindow: (request) => countedOf(request).limit.per,
    // The whole key is made here, as the limits of one store differ in their namespaces.
    nameSpace: '',
    keyGenerator: (request) => countedOf(request).limit.namespace + countedOf(request).key,
    ...store,
  })
  await island.ready()
  const count = island.createRateLimit()
  return ((counted, options) => count(counted as unknown as FastifyRequest, options)) satisfies Counter
}

function selectLimiter(count: Counter, limit: Limit): Limiter {
  const counted = (key: string): Counted => ({ key, limit, routeOptions: {} })
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
 * The key of an address: an IPv6 one by its /64, as a subscriber has a whole one of these. A peer on a Unix socket has
 * none.
 */
export function addressKey(ip: string | undefined): string {
  return normalizeIP(ip ?? 'none', 64)
}
