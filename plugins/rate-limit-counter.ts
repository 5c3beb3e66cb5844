import rateLimit from '@fastify/rate-limit'
import type { FastifyRateLimitStoreCtor } from '@fastify/rate-limit'
import fastify from 'fastify'
import type { FastifyRequest } from 'fastify'
import type { Milliseconds } from '../src/clock.js'
import { FairCounters } from '../src/rate-limit/fair-counters.js'
import type { CounterState } from '../src/rate-limit/fair-counters.js'
import type { Counted, Counter } from '../src/rate-limit/limiters.js'
import type { RedisClient } from '../src/redis/redis-client.js'

/**
 * A stand-in for a Fastify request. @fastify/rate-limit reads only `routeOptions` of it, and our callbacks the rest.
 */
interface CountedRequest extends Counted {
  readonly routeOptions: object
}

/**
 * Registers @fastify/rate-limit once for all limits of a store. A registration per limit would need one Fastify context
 * each, which is expensive. The separate Fastify instance never listens. There the plugin can't conflict with a
 * @fastify/rate-limit that the host registers.
 */
export async function createCounter(
  store: { readonly cache: number } | { readonly redis: RedisClient },
): Promise<Counter> {
  const island = fastify()
  const toCounted = (request: FastifyRequest) => request as unknown as CountedRequest
  await island.register(rateLimit, {
    global: false,
    max: (request) => toCounted(request).limit.max,
    timeWindow: (request) => toCounted(request).limit.per,
    // Empty, because `keyGenerator` adds the namespace, which differs between the limits of one store.
    nameSpace: '',
    keyGenerator: (request) => toCounted(request).limit.namespace + toCounted(request).key,
    ...('redis' in store ? store : { store: localStore(store.cache) }),
  })
  await island.ready()
  const count = island.createRateLimit()
  return (counted, options) => {
    const request: CountedRequest = { ...counted, routeOptions: {} }
    return count(request as unknown as FastifyRequest, options)
  }
}

/** Returns the class of a store in this process's memory, as @fastify/rate-limit wants it. */
function localStore(capacity: number): FastifyRateLimitStoreCtor {
  const counters = new FairCounters(capacity)
  type Done = (error: Error | null, state?: CounterState) => void
  return class {
    incr(key: string, done: Done, per: Milliseconds, max: number): void {
      done(null, counters.increment(key, { max, per }, Date.now()))
    }
    read(key: string, done: Done): void {
      done(null, counters.read(key, Date.now()))
    }
    child(): this {
      return this
    }
  }
}
