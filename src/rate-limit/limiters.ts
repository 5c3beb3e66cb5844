import type { Milliseconds } from '../clock.js'
import { withinDeadline } from '../deadline.js'
import type { RedisClient } from '../redis/redis-client.js'

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

/** One count: the key in the window of a limit. */
export interface Counted {
  readonly key: string
  readonly limit: Limit
}

/** The state of a counter after a count, in the form of @fastify/rate-limit. */
export type CounterState =
  | { readonly isAllowed: true }
  | {
      readonly isAllowed: false
      readonly isExceeded: boolean
      readonly remaining: number
      readonly ttlInSeconds: number
    }

/** Counts one, or only reads the state with `increment: false`. */
export type Counter = (counted: Counted, options?: { readonly increment: boolean }) => Promise<CounterState>

/** Creates a counter in Redis, or in memory with at most `cache` keys. */
export type CreateCounter = (
  store: { readonly cache: number } | { readonly redis: RedisClient },
) => Promise<Counter>

/**
 * Creates one limiter per name. Each has its own local store, so a flood of addresses can't displace the counters of
 * accounts.
 */
export async function createLimiters<Name extends string>(
  createCounter: CreateCounter,
  limits: Record<Name, Limit>,
  redis: RedisClient | undefined,
): Promise<Record<Name, Limiter>> {
  const limiters = {} as Record<Name, Limiter>
  for (const name of Object.keys(limits) as Name[]) {
    const store = await createLimitStore(createCounter, redis)
    limiters[name] = store.limiter(limits[name])
  }
  return limiters
}

export interface LimitStore {
  /** Returns a limiter. Creating one is cheap, because its state is in the store under its namespace. */
  limiter(limit: Limit): Limiter
}

/** Counters in one local store, about 2 MB. */
const MAX_LOCAL_COUNTERS = 5_000

/**
 * Creates a store for any number of limits. It counts in Redis if `redis` is set. While Redis
 * doesn't respond, each instance counts in its own memory, with at most `localCounters` counters.
 */
export async function createLimitStore(
  createCounter: CreateCounter,
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

function selectLimiter(count: Counter, limit: Limit): Limiter {
  const counted = (key: string): Counted => ({ key, limit })
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
