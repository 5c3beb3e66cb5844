import rateLimit, { normalizeIP } from '@fastify/rate-limit'
import fastify from 'fastify'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Milliseconds } from '../src/clock.js'
import { withinDeadline } from '../src/deadline.js'
import type { RedisClient } from '../src/store/redis-client.js'

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
 * Limiters on @fastify/rate-limit, in Redis where there is one. While it can't be asked, each instance counts by
 * itself. They live on a Fastify instance of their own that never listens, so that the host's @fastify/rate-limit and
 * ours don't meet.
 */
export async function createLimiters<Name extends string>(
  limits: Record<Name, Limit>,
  redis: RedisClient | undefined,
): Promise<Record<Name, Limiter>> {
  const island = fastify()
  const limiters = {} as Record<Name, Limiter>
  for (const name of Object.keys(limits) as Name[]) {
    const local = await createCounter(island, limits[name], undefined)
    const shared = redis && (await createCounter(island, limits[name], redis))
    limiters[name] = shared ? withFallback(shared, local) : local
  }
  await island.ready()
  return limiters
}

/**
 * A limiter that takes longer counts as one that can't be asked: logins wait for each other, so its delays would add
 * up.
 */
const SLOW: Milliseconds = 250
/** For how long it isn't asked again then. */
const PAUSE: Milliseconds = 1_000

function withFallback(shared: Limiter, local: Limiter): Limiter {
  let pausedUntil = 0
  const ask = async (what: keyof Limiter, key: string) => {
    if (performance.now() < pausedUntil) return local[what](key)
    try {
      return await withinDeadline(shared[what](key), SLOW)
    } catch {
      pausedUntil = performance.now() + PAUSE
      return local[what](key)
    }
  }
  return { waitSeconds: (key) => ask('waitSeconds', key), count: (key) => ask('count', key) }
}

/** One registration in a context of its own, as each brings a store. */
async function createCounter(
  island: FastifyInstance,
  { namespace, max, per }: Limit,
  redis: RedisClient | undefined,
): Promise<Limiter> {
  let limiter!: ReturnType<FastifyInstance['createRateLimit']>
  await island.register(async (context) => {
    await context.register(rateLimit, {
      global: false,
      max,
      timeWindow: per,
      nameSpace: namespace,
      keyGenerator: (request) => (request as unknown as Counted).key,
      ...(redis && { redis }),
    })
    limiter = context.createRateLimit()
  })
  // @fastify/rate-limit reads nothing else of a request: the key, and whether the route belongs to a group.
  const counted = (key: string) => ({ key, routeOptions: {} }) satisfies Counted as unknown as FastifyRequest
  return {
    async waitSeconds(key) {
      const state = await limiter(counted(key), { increment: false })
      return !state.isAllowed && state.remaining === 0 ? Math.max(1, state.ttlInSeconds) : 0
    },
    async count(key) {
      const state = await limiter(counted(key))
      return !state.isAllowed && state.isExceeded ? Math.max(1, state.ttlInSeconds) : 0
    },
  }
}

interface Counted {
  readonly key: string
  readonly routeOptions: object
}

/**
 * The key of an address: an IPv6 one by its /64, as a subscriber has a whole one of these. A peer on a Unix socket has
 * none.
 */
export function addressKey(ip: string | undefined): string {
  return normalizeIP(ip ?? 'none', 64)
}
