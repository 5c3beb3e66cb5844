import { randomBytes } from 'node:crypto'
import { toSeconds } from '../clock.js'
import { PortcullisError } from '../errors.js'
import type { Clock, Milliseconds, UnixMs, UnixSeconds } from '../clock.js'
import { CLOCK_SLACK, DEFAULT_LISTED, MAX_EXAMINED, toNewEntry, withoutLost } from './denylist.js'
import type {
  DenialReason,
  ListedEntry,
  EntryLifetime,
  Revocation,
  Listing,
  ListQuery,
  RevocableToken,
  Denylist,
  TokenStamp,
} from './denylist.js'
import { Replica } from './replica/replica.js'
import { stampPastDenials } from './token-stamp.js'

/** By how much the clock may be set back between a token's minting and its first verification. */
const MAX_STEP_BACK: Milliseconds = 2_000

/** How many denials come between two sweeps of what has expired. */
const SWEEP_EVERY = 1_000

/**
 * The denylist of the embedded mode. It forgets when the process ends; so that forgetting fails closed, tokens of
 * before its start are refused: those whose `iat` isn't later than the second of the start, unless their `jti` bears
 * the mark that only tokens of this very process have.
 */
export class MemoryDenylist implements Denylist {
  readonly #clock: Clock
  readonly #steady: Clock
  readonly #life: EntryLifetime
  readonly #since: UnixSeconds
  readonly #mark = randomBytes(6).toString('base64url')
  readonly #replica = new Replica()
  #untilSweep = SWEEP_EVERY
  /** Every revoke of what may still be denied, for people, and how many came before. */
  readonly #journal: ListedEntry[] = []
  #forgotten = 0

  /** @param steady A clock that nobody sets. */
  constructor(clock: Clock, life: EntryLifetime, steady: Clock = clock) {
    this.#clock = clock
    this.#steady = steady
    this.#life = life
    this.#since = toSeconds(clock.now())
  }

  check(token: RevocableToken): DenialReason | undefined {
    if (token.iat <= this.#since && !token.jti.startsWith(this.#mark)) return 'history'
    return this.#replica.denial(token, this.#expiredBy())
  }

  peek(token: RevocableToken): DenialReason | undefined {
    return this.check(token)
  }

  version(): undefined {
    return undefined
  }

  /** It can always be asked. */
  checkInOutage(): undefined {
    return undefined
  }

  async revoke(entries: readonly Revocation[]): Promise<void> {
    const now = this.#clock.now()
    const grace = this.#life.leeway + CLOCK_SLACK
    const longest = Math.max(now, this.#steady.now()) + this.#life.horizon + grace
    for (const entry of withoutLost(entries)) {
      const { kind, id, before, until = longest, reason } = toNewEntry(entry, grace)
      const denied = {
        kind,
        id,
        before: typeof before === 'number' ? before : now,
        until: Math.min(until, longest),
        reason,
      }
      this.#replica.apply(denied)
      this.#journal.push(denied)
    }
    this.#sweep(entries.length)
  }

  stamp(sub?: string): Promise<TokenStamp> {
    return stampPastDenials(
      () => ({ wall: this.#clock.now(), mark: this.#mark }),
      (token) => this.check(token),
      sub,
    )
  }

  /**
   * A page of what is denied now: see `listDenials`. A cursor is the number of the revoke that comes next.
   *
   * @throws {PortcullisError} `invalid_request` for a cursor that isn't one
   */
  list({ search = '', cursor, limit = DEFAULT_LISTED }: ListQuery): Listing {
    if (cursor !== undefined && !/^\d{1,15}$/.test(cursor))
      throw new PortcullisError('invalid_request', { detail: 'cursor: take the next_cursor of a page.' })
    const found = new Map<string, ListedEntry>()
    const now = this.#expiredBy()
    const newest = this.#forgotten + this.#journal.length - 1
    const from = Math.min(newest, Number(cursor ?? newest))
    for (let number = from; number >= this.#forgotten; number -= 1) {
      if (found.size >= limit || number <= from - MAX_EXAMINED)
        return { entries: [...found.values()], nextCursor: String(number) }
      const denied = this.#journal[number - this.#forgotten]!
      const matches = denied.id.includes(search) || denied.reason.includes(search)
      const name = `${denied.kind} ${denied.id}`
      if (!matches || denied.until <= now) continue
      const newer = found.get(name) ?? denied
      // The larger of both is in force.
      const [before, until] = [Math.max(newer.before, denied.before), Math.max(newer.until, denied.until)]
      found.set(name, { ...newer, before, until })
    }
    return { entries: [...found.values()] }
  }

  /** One clock mints and verifies; a time service may set it back by a moment between the two. */
  latestIssue(): UnixMs {
    return this.#clock.now() + MAX_STEP_BACK
  }

  /** The records are as young as the denylist. */
  trusts(): boolean {
    return true
  }

  /**
   * The time that an entry's end must have passed. Tokens expire by the wall clock; one that was ahead for a moment must
   * not end entries that it is still to need.
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
    // From the front only, so that numbers stay those of their entries.
    const kept = this.#journal.findIndex(({ until }) => until > now)
    this.#forgotten += this.#journal.splice(0, kept < 0 ? this.#journal.length : kept).length
  }
}
