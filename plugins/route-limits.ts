import type { RouteSettings } from '../src/config.js'
import { Refusal } from '../src/errors.js'
import type { Keys } from '../src/store/keys.js'
import { createLimiters } from './rate-limit.js'
import type { Limit, Limiter } from './rate-limit.js'
import type { RedisClient } from '../src/store/redis-client.js'

/** The limits of routes (`routes[].rateLimit`). */
export interface RouteLimiters {
  /**
   * Counts one request of somebody's to a route.
   *
   * @throws {Refusal} `rate_limited`
   */
  count(route: RouteSettings, who: string): Promise<void>
}

/** Instances with the same routes count together. */
export async function createRouteLimiters(
  routes: readonly RouteSettings[],
  keys: Keys,
  redis: RedisClient | undefined,
): Promise<RouteLimiters> {
  const limits: Record<string, Limit> = {}
  for (const route of routes) {
    const { rateLimit } = route
    if (rateLimit) limits[nameOf(route)] = { ...rateLimit, namespace: keys.limit(`route:${nameOf(route)}`) }
  }
  const limiters: Readonly<Record<string, Limiter>> = await createLimiters(limits, redis)
  return {
    async count(route, who) {
      const wait = await limiters[nameOf(route)]!.count(who)
      if (wait > 0) {
        throw new Refusal('rate_limited', {
          detail: 'There were too many requests to this route.',
          headers: { 'retry-after': String(wait) },
        })
      }
    },
  }
}

function nameOf({ path, methods }: RouteSettings): string {
  return `${methods?.toSorted().join('+') ?? '*'}:${path}`
}
