import type { Milliseconds } from '../clock.js'
import type { PluginSettings } from '../config.js'
import { MAX_ACCESS } from '../config/leaf.js'
import { withinDeadline } from '../deadline.js'
import { readInstanceSettings } from '../redis/instance-settings.js'
import { redisKeys } from '../redis/keys.js'
import type { RedisClient } from '../redis/redis-client.js'

/**
 * Returns the longest lifetime of an access token that is accepted (`revocation.horizon`), which is also what denylist
 * entries live by.
 *
 * An instance that only verifies doesn't know the lifetimes of its issuer. By default it takes the horizon of the
 * instances that issue, as they report it in Redis, or the longest possible one if there is none yet. A longer horizon
 * than that of the issuer is safe: the entries of this instance only live longer.
 *
 * @param redis `undefined` with `store: memory` and `none`.
 */
export async function findHorizon(
  { revocation, tokens, codes, store, keyPrefix }: PluginSettings,
  redis: RedisClient | undefined,
  { canSign }: { readonly canSign: boolean },
): Promise<Milliseconds> {
  if (revocation.horizon !== undefined) return revocation.horizon
  // Without a store there are no denylist entries.
  if (store === 'none') return Infinity
  const own = Math.max(tokens.access, codes?.access ?? 0)
  if (canSign) return own
  if (redis === undefined) return MAX_ACCESS
  const instances = await withinDeadline(readInstanceSettings(redis, redisKeys(keyPrefix))).catch(() => [])
  const horizons = instances
    .filter((settings) => Object.hasOwn(settings, 'tokens.access'))
    .map((settings) => Number(settings['revocation.horizon']))
    .filter(Number.isFinite)
  return horizons.length === 0 ? MAX_ACCESS : Math.max(own, ...horizons)
}
