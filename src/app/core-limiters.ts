import type { Milliseconds } from '../clock.js'
import type { PluginSettings } from '../config.js'
import { createLimiters } from '../rate-limit/limiters.js'
import type { CreateCounter, Limiter } from '../rate-limit/limiters.js'
import { redisKeys } from '../redis/keys.js'
import type { RedisClient } from '../redis/redis-client.js'

export type CoreLimiter =
  | 'loginPerAccount'
  | 'loginPerAddress'
  | 'successPerAccount'
  | 'successPerAddress'
  | 'knownLogin'
  | 'knownPerAccount'
  | 'refreshPerAddress'
  | 'codesPerSubject'
  | 'unprovenPerAddress'
  | 'logoutPerSession'

/** How long an account is known at an address after it has logged in there. */
const KNOWN_FOR: Milliseconds = 7 * 86_400_000
/** Maximum number of addresses at which one account becomes known in that time. */
const MAX_KNOWN = 100

/** Maximum number of one-time codes of a subject in `CODES_WINDOW`. It bounds the codes that one subject can store. */
const MAX_CODES = 300
const CODES_WINDOW: Milliseconds = 10 * 60_000

/** Creates the limiters of logins, refreshes and one-time codes. */
export async function createCoreLimiters(
  createCounter: CreateCounter,
  { rateLimit, keyPrefix }: PluginSettings,
  redis: RedisClient | undefined,
): Promise<Record<CoreLimiter, Limiter>> {
  const { limit } = redisKeys(keyPrefix)
  const { perAccount, perAddress } = rateLimit.login
  const refresh = rateLimit.refresh.perAddress
  const refreshPerAddress = { namespace: limit('refresh-address'), max: refresh.max, per: refresh.per }
  const shared = await createLimiters(
    createCounter,
    {
      loginPerAccount: { namespace: limit('login-account'), max: perAccount.failures, per: perAccount.per },
      loginPerAddress: { namespace: limit('login-address'), max: perAddress.failures, per: perAddress.per },
      successPerAccount: {
        namespace: limit('login-success'),
        max: perAccount.successes,
        per: perAccount.per,
      },
      successPerAddress: {
        namespace: limit('login-address-success'),
        max: perAddress.successes,
        per: perAddress.per,
      },
      knownLogin: { namespace: limit('login-known'), max: 1, per: KNOWN_FOR },
      knownPerAccount: { namespace: limit('login-addresses'), max: MAX_KNOWN, per: KNOWN_FOR },
      refreshPerAddress,
      codesPerSubject: { namespace: limit('codes-subject'), max: MAX_CODES, per: CODES_WINDOW },
    },
    redis,
  )
  // Counted in this process only: an invented or ended token must not write anything to Redis.
  const local = await createLimiters(
    createCounter,
    { unprovenPerAddress: refreshPerAddress, logoutPerSession: refreshPerAddress },
    undefined,
  )
  return { ...shared, ...local }
}
