import type { Clock, Milliseconds, UnixMs } from '../clock.js'
import { storeUnavailable } from '../errors.js'
import { STATE_FIELDS } from '../redis/keys.js'
import type { Keys } from '../redis/keys.js'
import type { RedisClient } from '../redis/redis-client.js'
import { latestIssueByOwnClock } from './replica/revocation-log.js'
import type { RevocationLog } from './replica/revocation-log.js'
import { withDefaults, withoutLost } from './denylist.js'
import { EVICTED, hasBefore } from './entry.js'
import type { NewEntry } from './entry.js'
import type {
  CoveringKind,
  EntryToWrite,
  RevocationReason,
  OnOutage,
  OutageDecision,
  RevocableToken,
  Denylist,
  TokenStamp,
} from './denylist.js'
import { createStamp, waitForStamp } from './token-stamp.js'

/** The value of the denylist key of an evicted session. Another program may have written any other value. */
const EVICTED_VALUE = new RegExp(`^${EVICTED} \\d{13} `)

/**
 * The jti prefix of all tokens, as this denylist has no epochs. It is equal on all instances, because a retried refresh
 * must issue an equal token on each of them.
 */
const JTI_PREFIX = 'noepoch-'

export interface RedisDenylistOptions {
  readonly redis: RedisClient
  readonly keys: Keys
  /** The log to which entries are written. Instances that have a replica read it. */
  readonly log: RevocationLog
  readonly clock: Clock
  /** H: the longest lifetime of a token. */
  readonly horizon: Milliseconds
  /** G: the time that an entry outlives its token. */
  readonly grace: Milliseconds
  /** τ: the greatest accepted difference between a wall clock and the clock of Redis. */
  readonly tolerance: Milliseconds
  /** Returns true if Redis may evict entries when its memory is full. Every check then throws. */
  readonly mayEvict: () => boolean
  /** True for `check: presence`: a token is admitted only while its session has a record. */
  readonly needsSession: boolean
}

/**
 * The denylist with `revocation.check: redis` and `presence`. It sends one `MGET` to Redis per request, and for `presence`
 * one `HMGET` with it. Decisions are exact on every instance, as long as Redis loses no data.
 */
export class RedisDenylist implements Denylist {
  readonly #options: RedisDenylistOptions

  constructor(options: RedisDenylistOptions) {
    this.#options = options
  }

  async check(token: RevocableToken): Promise<RevocationReason | undefined> {
    const { needsSession } = this.#options
    // Both commands are sent at once. They aren't an ioredis pipeline, which in a Cluster needs all keys in one slot.
    const [kind, missing] = await Promise.all([
      this.#findKind(token),
      needsSession ? this.#findMissingSession(token.sid) : undefined,
    ])
    return kind ?? missing
  }

  async #findKind({ jti, sid, sub, kid, iat }: RevocableToken): Promise<CoveringKind | undefined> {
    const { redis, keys, mayEvict } = this.#options
    if (mayEvict())
      throw storeUnavailable(
        'Redis may evict denylist entries, because its maxmemory-policy is not noeviction',
      )
    const kinds = ['sid', 'jti', 'kid', 'sub', 'all'] as const
    const ids = [sid, jti, kid, sub, '*']
    let found: (string | null)[]
    try {
      found = await redis.mget(kinds.map((kind, i) => keys.deny(kind, ids[i]!)))
    } catch (error) {
      throw storeUnavailable(error)
    }
    const befores = found.map((value) => (value == null ? undefined : Number.parseInt(value, 10)))
    const kind = kinds.find((each, i) => {
      const before = befores[i]
      return before !== undefined && (!hasBefore(each) || iat * 1000 <= before)
    })
    return kind === 'sid' && EVICTED_VALUE.test(found[0]!) ? 'evicted' : kind
  }

  /** Returns `absent` or `evicted` for a session without a record or with a tombstone. `undefined` if the session is living. */
  async #findMissingSession(sid: string): Promise<'absent' | 'evicted' | undefined> {
    const { redis, keys } = this.#options
    try {
      const [living, ended] = await redis.hmget(keys.session(sid), ...STATE_FIELDS)
      if (living != null) return undefined
      // The denylist entry of an evicted session is written a moment after its tombstone.
      return ended === 'evicted' ? 'evicted' : 'absent'
    } catch (error) {
      throw storeUnavailable(error)
    }
  }

  peek(token: RevocableToken): Promise<RevocationReason | 'unknown' | undefined> {
    return this.check(token).catch(() => 'unknown' as const)
  }

  version(): undefined {
    return undefined
  }

  checkInOutage(_token: RevocableToken, onOutage: OnOutage): OutageDecision | undefined {
    return onOutage === 'open' ? { reason: undefined, outage: 'open' } : undefined
  }

  /**
   * Writes the entries that Redis doesn't have. Those of kind `lost` are omitted, because this denylist doesn't detect a
   * loss of data.
   */
  async revoke(all: readonly NewEntry[]): Promise<void> {
    const entries = withoutLost(all)
    if (entries.length === 0) return
    const { log, clock } = this.#options
    const missing = await this.#selectMissing(entries.map((entry) => withDefaults(entry, this.#options)))
    if (missing.length > 0) await log.revoke(missing, clock.now())
  }

  async #selectMissing(entries: readonly EntryToWrite[]): Promise<readonly EntryToWrite[]> {
    const { redis, keys } = this.#options
    if (entries.every(({ enough }) => enough === undefined)) return entries
    try {
      const values = await redis.mget(entries.map(({ kind, id }) => keys.deny(kind, id)))
      return entries.filter(({ enough }, i) => {
        const until = Number(values[i]?.split(' ', 2)[1] ?? 0)
        return enough === undefined || until < enough
      })
    } catch (error) {
      throw storeUnavailable(error)
    }
  }

  stamp(sub?: string): Promise<TokenStamp> {
    return waitForStamp(async () => {
      const { stamp, token } = createStamp(this.#options.clock.now(), JTI_PREFIX, sub ?? '')
      return { stamp, reason: sub === undefined ? undefined : await this.#findKind(token) }
    })
  }

  latestIssue(): UnixMs {
    return latestIssueByOwnClock(this.#options.clock.now(), this.#options.tolerance)
  }

  /** Returns true, because this denylist has no history of its own against which it could check a record. */
  trusts(): boolean {
    return true
  }
}
