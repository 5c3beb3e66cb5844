import { randomBytes } from 'node:crypto'
import type { Clock, Milliseconds, UnixMs } from '../clock.js'
import { storeUnavailable } from '../errors.js'
import type { Keys } from '../redis/keys.js'
import type { RedisClient } from '../redis/redis-client.js'
import { latestIssueByOwnClock } from './replica/revocation-log.js'
import type { RevocationLog } from './replica/revocation-log.js'
import { toNewEntry, withoutLost } from './denylist.js'
import type {
  DenialReason,
  Revocation,
  OnOutage,
  OutageDecision,
  RevocableToken,
  Denylist,
  TokenStamp,
} from './denylist.js'
import { stampPastDenials } from './token-stamp.js'

export interface RedisDenylistOptions {
  readonly redis: RedisClient
  readonly keys: Keys
  /** Writes the denials, so that instances with a replica of their own learn of them, too. */
  readonly log: RevocationLog
  readonly clock: Clock
  /** G: what an entry outlives its token by. */
  readonly grace: Milliseconds
  /** τ */
  readonly tolerance: Milliseconds
  /** Whether Redis may drop denials when memory is short; it isn't believed then. */
  readonly mayEvict: () => boolean
}

/**
 * The denylist in Redis, asked on each request by one `MGET` (`revocation.check: redis`). Exact on all instances, as
 * long as Redis loses nothing.
 */
export class RedisDenylist implements Denylist {
  readonly #options: RedisDenylistOptions
  readonly #mark = randomBytes(6).toString('base64url')

  constructor(options: RedisDenylistOptions) {
    this.#options = options
  }

  async check({ jti, sid, sub, kid, iat }: RevocableToken): Promise<DenialReason | undefined> {
    const { redis, keys, mayEvict } = this.#options
    if (mayEvict()) throw storeUnavailable('maxmemory-policy is not noeviction')
    const kinds = ['sid', 'jti', 'kid', 'sub', 'all'] as const
    const ids = [sid, jti, kid, sub, '*']
    let found: (string | null)[]
    try {
      found = await redis.mget(kinds.map((kind, i) => keys.deny(kind, ids[i]!)))
    } catch (error) {
      throw storeUnavailable(error)
    }
    return kinds.find((kind, i) => {
      const value = found[i]
      if (value == null) return false
      return (kind !== 'sub' && kind !== 'all') || iat * 1000 <= Number.parseInt(value, 10)
    })
  }

  peek(token: RevocableToken): Promise<DenialReason | 'unknown' | undefined> {
    return this.check(token).catch(() => 'unknown' as const)
  }

  version(): undefined {
    return undefined
  }

  checkInOutage(_token: RevocableToken, onOutage: OnOutage): OutageDecision | undefined {
    return onOutage === 'open' ? { denial: undefined, outage: 'open' } : undefined
  }

  /** A loss of data isn't noticed here: it is as if there were none. */
  async revoke(all: readonly Revocation[]): Promise<void> {
    const entries = withoutLost(all)
    if (entries.length === 0) return
    const { log, clock, grace } = this.#options
    await log.revoke(
      entries.map((entry) => toNewEntry(entry, grace)),
      clock.now(),
    )
  }

  stamp(sub?: string): Promise<TokenStamp> {
    return stampPastDenials(
      () => ({ wall: this.#options.clock.now(), mark: this.#mark }),
      (token) => (sub === undefined ? undefined : this.check(token)),
      sub,
    )
  }

  latestIssue(): UnixMs {
    return latestIssueByOwnClock(this.#options.clock.now(), this.#options.tolerance)
  }

  /** It has no memory of its own to hold against what Redis says. */
  trusts(): boolean {
    return true
  }
}
