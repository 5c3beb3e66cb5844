import type { RouteSettings } from '../../src/config.js'
import { PortcullisError } from '../../src/errors.js'
import type { Keys } from '../../src/redis/keys.js'
import { createLimitStore } from '../rate-limit.js'
import type { Limit } from '../rate-limit.js'
import type { RedisClient } from '../../src/redis/redis-client.js'

/** The limits of routes (`routes[].rateLimit`). */
export interface RouteLimiters {
  /**
   * Counts one request to a route. `who` is `sub:` and a subject, or `address:` and an address.
   *
   * @throws {PortcullisError} `rate_limited`
   */
  count(route: RouteSettings, who: string): Promise<void>
}

/**
 * The local counters of all routes together, half of them for subjects and half for addresses: whoever has many
 * addresses must not push out the counters of subjects, which need an account each. About 30 MB if all are taken.
 */
const LOCAL_COUNTERS = 100_000

/**
 * Limiters for the routes that have a limit. Instances with the same routes count together.
 *
 * @param localCounters All that an instance holds, whatever the number of routes.
 */
export async function createRouteLimiters(
  routes: readonly RouteSettings[],
  keys: Keys,
  redis: RedisClient | undefined,
  localCounters = LOCAL_COUNTERS,
): Promise<RouteLimiters> {
  const subjects = await createLimitStore(redis, localCounters / 2)
  const addresses = await createLimitStore(redis, localCounters / 2)
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
          detail: 'There were too many requests to this route.',
          headers: { 'retry-after': String(wait) },
        })
      }
    },
  }
}

function limiterName({ path, methods }: RouteSettings): string {
  return `${methods?.toSorted().join('+') ?? '*'}:${path}`
}
