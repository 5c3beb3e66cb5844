import type { Milliseconds, UnixMs } from '../../clock.js'
import { latestIssueByOwnClock } from './revocation-log.js'
import type { Now } from './protocol.js'

/**
 * The latest `iat` that a token may have. With a lease: τ ahead of Redis's time, as an instance mints only while its
 * clock is within τ of that. An own clock that is behind must not refuse what others mint. Pure code.
 */
export class IssueLimit {
  readonly #tolerance: Milliseconds
  /** Redis's time by the last sync that was applied, and when that sync was sent. */
  #latest: { readonly sent: Milliseconds; readonly time: UnixMs } | undefined

  constructor(tolerance: Milliseconds) {
    this.#tolerance = tolerance
  }

  onSync(sent: Now, time: UnixMs): void {
    this.#latest = { sent: sent.monotonic, time }
  }

  /**
   * Counted from the sending of the last applied sync, the estimate of Redis's time is never too early. Without a lease
   * it may be: the machine may have been suspended.
   */
  at(now: Now, isLeased: boolean): UnixMs {
    const byOwnClock = latestIssueByOwnClock(now.wall, this.#tolerance)
    if (!this.#latest) return byOwnClock
    const byRedis = this.#latest.time + now.monotonic - this.#latest.sent + this.#tolerance
    return isLeased ? byRedis : Math.max(byRedis, byOwnClock)
  }
}
