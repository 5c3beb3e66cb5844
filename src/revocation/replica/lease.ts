import type { Milliseconds, UnixMs } from '../../clock.js'
import { JTI_PREFIX_LENGTH } from '../entry.js'
import type { LogSettings, Vouch } from './revocation-log.js'
import type { Now } from './protocol.js'

/** Returns the jti prefix: the first 8 characters of an epoch, which every `jti` that is issued in it starts with. */
export function jtiPrefix(name: string): string {
  return name.slice(0, JTI_PREFIX_LENGTH)
}

/**
 * The right of an instance to decide about tokens from its replica for a limited time. The instance measures the time
 * with its own two clocks. This class does no I/O.
 */
export class Lease {
  /** The time at which this instance sent the sync that granted the lease, by both clocks. */
  readonly #sent: Now
  readonly #length: Milliseconds
  /** τ: the greatest accepted difference between a wall clock and the clock of Redis. */
  readonly #tolerance: Milliseconds
  /** The part of the past for which the replica has all denylist entries. */
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
   * The lease also ends if the wall clock was set back by more than τ. Otherwise a token that had expired could be
   * valid again by this clock, while its denylist entry was removed.
   */
  left({ monotonic, wall }: Now): Milliseconds {
    if (wall < this.#sent.wall - this.#tolerance) return Number.NEGATIVE_INFINITY
    return Math.min(this.#sent.monotonic - monotonic, this.#sent.wall - wall) + this.#length
  }

  /**
   * Returns true if `history` covers a token or a session record.
   *
   * @param id The `jti` of the token, or the jti prefix of the record.
   * @param at The time at which the token was issued or the record was written.
   */
  remembers(id: string, at: UnixMs): boolean {
    return at > this.history.since || this.history.epochPrefixes.includes(jtiPrefix(id))
  }
}
