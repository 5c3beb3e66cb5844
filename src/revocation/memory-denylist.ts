import { randomBytes } from 'node:crypto'
import { toSeconds } from '../clock.js'
import { PortcullisError } from '../errors.js'
import type { Clock, Milliseconds, UnixMs, UnixSeconds } from '../clock.js'
import { CLOCK_SLACK, DEFAULT_LISTED, MAX_EXAMINED, withDefaults, withoutLost } from './denylist.js'
import type { NewEntry } from './entry.js'
import type {
  RevocationReason,
  ListedEntry,
  EntryLifetime,
  Listing,
  ListQuery,
  RevocableToken,
  Denylist,
  TokenStamp,
} from './denylist.js'
import { Replica } from './replica/replica.js'
import { createStamp, waitForStamp } from './token-stamp.js'

/** The greatest step back of the wall clock that is tolerated between the issue of a token and its verification. */
const MAX_STEP_BACK: Milliseconds = 2_000

/** The number of new entries between two sweeps, which remove expired entries. */
const SWEEP_EVERY = 1_000

/**
 * The denylist of the embedded mode. Its entries are lost when the process ends, so tokens from before the start of the
 * process are refused. These are tokens whose `iat` is no later than the second of the start, unless their `jti` has
 * the prefix of this process.
 */
export class MemoryDenylist implements Denylist {
  readonly #clock: Clock
  readonly #steady: Clock
  readonly #life: EntryLifetime
  readonly #since: UnixSeconds
  readonly #jtiPrefix = randomBytes(6).toString('base64url')
  readonly #replica = new Replica()
  #untilSweep = SWEEP_EVERY
  /** The entries that may still be in force, for the list, in the order in which they were added. */
  readonly #journal: ListedEntry[] = []
  /** The number of entries that were removed from the front of the journal. */
  #forgotten = 0

  /** @param steady A clock that never jumps. */
  constructor(clock: Clock, life: EntryLifetime, steady: Clock = clock) {
    this.#clock = clock
    this.#steady = steady
    this.#life = life
    this.#since = toSeconds(clock.now())
  }

  check(token: RevocableToken): RevocationReason | undefined {
    if (token.iat <= this.#since && !token.jti.startsWith(this.#jtiPrefix)) return 'history'
    return this.#replica.findKind(token, this.#expiredBy())
  }

  peek(token: RevocableToken): RevocationReason | undefined {
    return this.check(token)
  }

  version(): undefined {
    return undefined
  }

  /** Returns `undefined`, because a denylist in memory is always available. */
  checkInOutage(): undefined {
    return undefined
  }

  async revoke(entries: readonly NewEntry[]): Promise<void> {
    const now = this.#clock.now()
    const { horizon, leeway } = this.#life
    const grace = leeway + CLOCK_SLACK
    const longest = Math.max(now, this.#steady.now()) + horizon + grace
    for (const entry of withoutLost(entries)) {
      const {
        kind,
        id,
        before,
        until = longest,
        reason = '',
        enough,
      } = withDefaults(entry, { horizon, grace })
      if (enough !== undefined && this.#replica.covers({ kind, id, before: 0, until: enough })) continue
      const listed = {
        kind,
        id,
        before: typeof before === 'number' ? before : now,
        until: Math.min(until, longest),
        reason,
      }
      this.#replica.apply(listed)
      this.#journal.push(listed)
    }
    this.#sweep(entries.length)
  }

  stamp(sub = ''): Promise<TokenStamp> {
    return waitForStamp(() => {
      const { stamp, token } = createStamp(this.#clock.now(), this.#jtiPrefix, sub)
      return { stamp, reason: this.check(token) }
    })
  }

  /**
   * Lists one page of the entries in force, as `listDenylist` does. A cursor is the number of the next entry.
   *
   * @throws {PortcullisError} `invalid_request` if the cursor is malformed
   */
  list({ search = '', cursor, limit = DEFAULT_LISTED }: ListQuery): Listing {
    if (cursor !== undefined && !/^\d{1,15}$/.test(cursor))
      throw new PortcullisError('invalid_request', {
        detail: '`cursor` must be the `next_cursor` of a page.',
      })
    const found = new Map<string, ListedEntry>()
    const now = this.#expiredBy()
    const newest = this.#forgotten + this.#journal.length - 1
    const from = Math.min(newest, Number(cursor ?? newest))
    for (let number = from; number >= this.#forgotten; number -= 1) {
      if (found.size >= limit || number <= from - MAX_EXAMINED)
        return { entries: [...found.values()], nextCursor: String(number) }
      const listed = this.#journal[number - this.#forgotten]!
      const matches = listed.id.includes(search) || listed.reason.includes(search)
      const name = `${listed.kind} ${listed.id}`
      if (!matches || listed.until <= now) continue
      const newer = found.get(name) ?? listed
      // If there are two entries for one id, the larger `before` and the larger `until` are in force.
      const [before, until] = [Math.max(newer.before, listed.before), Math.max(newer.until, listed.until)]
      found.set(name, { ...newer, before, until })
    }
    return { entries: [...found.values()] }
  }

  /** Allows for a clock that a time service sets back between the issue of a token and its verification. */
  latestIssue(): UnixMs {
    return this.#clock.now() + MAX_STEP_BACK
  }

  /** Returns true, because the records are lost together with the denylist when the process ends. */
  trusts(): boolean {
    return true
  }

  /**
   * Returns the time by which entries expire: the earlier of both clocks. Tokens expire by the wall clock. If this
   * clock is ahead for a moment, it must not remove entries that are needed again when it is set back.
   */
  #expiredBy(): UnixMs {
    return Math.min(this.#clock.now(), this.#steady.now())
  }

  #sweep(added: number): void {
    this.#untilSweep -= added
    if (this.#untilSweep > 0) return
    this.#untilSweep = SWEEP_EVERY
    const now = this.#expiredBy()
    this.#replica.expire(now)
    // Entries are removed from the front only, so that the number of each entry stays the same.
    const kept = this.#journal.findIndex(({ until }) => until > now)
    this.#forgotten += this.#journal.splice(0, kept < 0 ? this.#journal.length : kept).length
  }
}
