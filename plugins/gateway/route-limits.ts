import type { RouteSettings } from '../../src/config.js'
import { PortcullisError } from '../../src/errors.js'
import type { Keys } from '../../src/redis/keys.js'
import { createLimitStore } from '../../src/rate-limit/limiters.js'
import type { Limit } from '../../src/rate-limit/limiters.js'
import { SUBJECT_LIMIT } from '../../src/token/hidden-refusal.js'
import { createCounter } from '../rate-limit-counter.js'
import type { RedisClient } from '../../src/redis/redis-client.js'

/** The rate limits of routes (`routes[].rateLimit`). */
export interface RouteLimiters {
  /**
   * Counts one request to a route.
   *
   * @param who `sub:` followed by a subject, or `address:` followed by an address key.
   * @throws {PortcullisError} `rate_limited`
   */
  count(route: RouteSettings, who: string): Promise<void>
}

/**
 * Local counters of all routes together, at most about 30 MB. Half of them are for subjects and half for addresses, so
 * a client with many addresses can't displace the counters of subjects.
 */
const MAX_LOCAL_COUNTERS = 100_000

/**
 * Creates the limiters of all routes that have a rate limit. Instances with the same route share its counters in Redis.
 *
 * @param localCounters Maximum number of counters in this instance, for all routes together.
 */
export async function createRouteLimiters(
  routes: readonly RouteSettings[],
  keys: Keys,
  redis: RedisClient | undefined,
  localCounters = MAX_LOCAL_COUNTERS,
): Promise<RouteLimiters> {
  const subjects = await createLimitStore(createCounter, redis, localCounters / 2)
  const addresses = await createLimitStore(createCounter, redis, localCounters / 2)
  const limits = new Map<string, Limit>()
  for (const route of routes) {
    const name = limiterName(route)
    if (route.rateLimit) limits.set(name, { ...route.rateLimit, namespace: keys.limit(`route:${name}`) })
  }
  return {
    async count(route, who) {
      const store = who.startsWith('address:') ? addresses : subjects
      const wait = await store.limiter(limits.get(limiterName(route))!).count(who)
      if (wait > 0) {
        throw new PortcullisError('rate_limited', {
          detail: 'There were too many requests to this route. Try again after the time in Retry-After.',
          ...(who.startsWith('sub:') && { reason: SUBJECT_LIMIT }),
          headers: { 'retry-after': String(wait) },
        })
      }
    },
  }
}

function limiterName({ path, methods, hosts }: RouteSettings): string {
  const name = `${methods?.toSorted().join('+') ?? '*'}:${path}`
  return hosts === undefined ? name : `${name}@${hosts.toSorted().join('+')}`
}
