import { randomBytes } from 'node:crypto'
import { toSeconds } from '../clock.js'
import type { Clock, Milliseconds, UnixMs, UnixSeconds } from '../clock.js'
import { CLOCK_SLACK, MOST_LISTED, toNewEntry, withoutLost } from './port.js'
import type { Denial, Denied, DenialLife, Entry, Revocable, Revocation, Stamp } from './port.js'
import { Replica } from './replica.js'
import { stampPastDenials } from './stamp.js'

/** By how much the clock may be set back between a token's minting and its first verification. */
const MAX_STEP_BACK: Milliseconds = 2_000

/** How many denials come between two sweeps of what has expired. */
const SWEEP_EVERY = 1_000

/**
 * The denylist of the embedded mode. It forgets when the process ends; so that forgetting fails closed, tokens of
 * before its start are refused: those whose `iat` isn't later than the second of the start, unless their `jti` bears
 * the mark that only tokens of this very process have.
 */
export class MemoryDenylist implements Revocation {
  readonly #clock: Clock
  readonly #steady: Clock
  readonly #life: DenialLife
  readonly #since: UnixSeconds
  readonly #mark = randomBytes(6).toString('base64url')
  readonly #replica = new Replica()
  #untilSweep = SWEEP_EVERY

  /** @param steady A clock that nobody sets. */
  constructor(clock: Clock, life: DenialLife, steady: Clock = clock) {
    this.#clock = clock
    this.#steady = steady
    this.#life = life
    this.#since = toSeconds(clock.now())
  }

  check(token: Revocable): Denial | undefined {
    if (token.iat <= this.#since && !token.jti.startsWith(this.#mark)) return 'history'
    return this.#replica.denial(token, this.#expiredBy())
  }

  peek(token: Revocable): Denial | undefined {
    return this.check(token)
  }

  version(): undefined {
    return undefined
  }

  /** It can always be asked. */
  checkInOutage(): undefined {
    return undefined
  }

  async revoke(entries: readonly Entry[]): Promise<void> {
    const now = this.#clock.now()
    const grace = this.#life.leeway + CLOCK_SLACK
    const longest = Math.max(now, this.#steady.now()) + this.#life.horizon + grace
    for (const entry of withoutLost(entries)) {
      const { kind, id, before, until = longest } = toNewEntry(entry, grace)
      this.#replica.apply({
        kind,
        id,
        before: typeof before === 'number' ? before : now,
        until: Math.min(until, longest),
      })
    }
    this.#sweep(entries.length)
  }

  stamp(sub?: string): Promise<Stamp> {
    return stampPastDenials(
      () => ({ wall: this.#clock.now(), mark: this.#mark }),
      (token) => this.check(token),
      sub,
    )
  }

  /** What is denied now. The reasons aren't kept. */
  list(search = ''): Denied[] {
    const all = [...this.#replica.entries()].filter(({ id }) => id.includes(search))
    return all.slice(0, MOST_LISTED).map((entry) => ({ ...entry, reason: '' }))
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
    this.#replica.expire(this.#expiredBy())
  }
}
