import type { Milliseconds, UnixMs } from '../../clock.js'
import { JTI_PREFIX_LENGTH } from '../entry.js'
import type { LogSettings, Vouch } from './revocation-log.js'
import type { Now } from './protocol.js'

/** Returns the jti prefix of an epoch, or of a `jti` that was issued in it: the first 8 characters. */
export function jtiPrefix(name: string): string {
  return name.slice(0, JTI_PREFIX_LENGTH)
}

/** The right to decide from the replica until a point in time on the instance's own clocks. It does no I/O. */
export class Lease {
  /** The time at which the sync that granted the lease was sent. */
  readonly #sent: Now
  readonly #length: Milliseconds
  readonly #tolerance: Milliseconds
  /** The history for which the replica is complete. */
  readonly history: Vouch

  constructor(
    sent: Now,
    { lease, tolerance }: Pick<LogSettings, 'lease' | 'tolerance'>,
    { since, epochPrefixes }: Vouch,
  ) {
    this.#sent = sent
    this.#length = lease
    this.#tolerance = tolerance
    this.history = { since, epochPrefixes }
  }

  /**
   * Returns the remaining time in ms, by the clock that has advanced more. 0 or less means that the lease has ended.
   *
   * The lease also ends if the wall clock was set back by more than τ. By such a clock expired tokens would be valid
   * again, although their denylist entries have expired and were removed.
   */
  left({ monotonic, wall }: Now): Milliseconds {
    if (wall < this.#sent.wall - this.#tolerance) return Number.NEGATIVE_INFINITY
    return Math.min(this.#sent.monotonic - monotonic, this.#sent.wall - wall) + this.#length
  }

  /** Returns true if the history covers a token or record from this time, with a `jti` or jti prefix of this value. */
  remembers(id: string, at: UnixMs): boolean {
    return at > this.history.since || this.history.epochPrefixes.includes(jtiPrefix(id))
  }
}
