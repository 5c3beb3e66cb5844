import { randomBytes } from 'node:crypto'
import { toSeconds } from '../clock.js'
import type { Clock, UnixMs, UnixSeconds } from '../clock.js'
import { CLOCK_SLACK, MOST_LISTED, toNewEntry, withoutLost } from './port.js'
import type { Denial, Denied, DenialLife, Entry, Revocable, Revocation, Stamp } from './port.js'
import { Replica } from './replica.js'
import { stampPastDenials } from './stamp.js'

/** How many denials come between two sweeps of what has expired. */
const SWEEP_EVERY = 1_000

/**
 * The denylist of the embedded mode. It forgets when the process ends; so that forgetting fails closed, tokens of
 * before its start are refused: those whose `iat` isn't later than the second of the start, unless their `jti` bears
 * the mark that only tokens of this very process have.
 */
export class MemoryDenylist implements Revocation {
  readonly #clock: Clock
  readonly #life: DenialLife
  readonly #since: UnixSeconds
  readonly #mark = randomBytes(6).toString('base64url')
  readonly #replica = new Replica()
  #untilSweep = SWEEP_EVERY

  constructor(clock: Clock, life: DenialLife) {
    this.#clock = clock
    this.#life = life
    this.#since = toSeconds(clock.now())
  }

  check(token: Revocable): Denial | undefined {
    if (token.iat <= this.#since && !token.jti.startsWith(this.#mark)) return 'history'
    return this.#replica.denial(token, this.#clock.now())
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
    const longest = now + this.#life.horizon + grace
    for (const entry of withoutLost(entries)) {
      const { kind, id, before, until = longest } = toNewEntry(entry, grace)
      this.#replica.apply({
        kind,
        id,
        before: typeof before === 'number' ? before : now,
        until: Math.min(until, longest),
      })
    }
    this.#sweep(now, entries.length)
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

  /** The records are as young as the denylist. */
  trusts(): boolean {
    return true
  }

  #sweep(now: UnixMs, added: number): void {
    this.#untilSweep -= added
    if (this.#untilSweep > 0) return
    this.#untilSweep = SWEEP_EVERY
    this.#replica.expire(now)
  }
}
