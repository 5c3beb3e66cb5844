import type { Milliseconds, UnixMs } from '../../clock.js'
import type { LogSettings, Vouch } from './revocation-log.js'
import type { Now } from './protocol.js'

const MARK_LENGTH = 8

/** Of an epoch's name, what every id begins with that was made in it; the same of such an id. */
export function jtiPrefix(name: string): string {
  return name.slice(0, MARK_LENGTH)
}

/** The right to decide from the replica until a moment on the instance's own clocks. Pure code. */
export class Lease {
  /** When the sync was sent that has brought it. */
  readonly #sent: Now
  readonly #length: Milliseconds
  readonly #tolerance: Milliseconds
  /** What of the past it knows. */
  readonly history: Vouch

  constructor(
    sent: Now,
    { lease, tolerance }: Pick<LogSettings, 'lease' | 'tolerance'>,
    { since, marks }: Vouch,
  ) {
    this.#sent = sent
    this.#length = lease
    this.#tolerance = tolerance
    this.history = { since, marks }
  }

  /**
   * How long it still lasts, by the clock that is further; 0 or less: it is over. A wall clock that was set back by
   * more than τ takes tokens for alive that have expired, and whose entries are forgotten.
   */
  left({ monotonic, wall }: Now): Milliseconds {
    if (wall < this.#sent.wall - this.#tolerance) return Number.NEGATIVE_INFINITY
    return Math.min(this.#sent.monotonic - monotonic, this.#sent.wall - wall) + this.#length
  }

  /** Whether what was written at this time, with an id that begins with its mark, is part of the history. */
  remembers(id: string, at: UnixMs): boolean {
    return at > this.history.since || this.history.marks.includes(jtiPrefix(id))
  }
}
