import type { Milliseconds, UnixMs } from '../../clock.js'
import { latestIssueByOwnClock } from './revocation-log.js'
import type { Now } from './protocol.js'

/**
 * The latest `iat` that a token may have. With a lease, this is τ ahead of the time of Redis, because an instance
 * issues tokens only while its clock is within τ of that time. The own clock isn't used then. If it were behind, the
 * instance would refuse tokens that others issue. Pure code.
 */
export class IssueLimit {
  readonly #tolerance: Milliseconds
  /** The time of Redis in the last applied sync, and the monotonic time at which that sync was sent. */
  #latest: { readonly sent: Milliseconds; readonly time: UnixMs } | undefined

  constructor(tolerance: Milliseconds) {
    this.#tolerance = tolerance
  }

  /** Records the time of Redis from the reply to a sync. */
  onSync(sent: Now, time: UnixMs): void {
    this.#latest = { sent: sent.monotonic, time }
  }

  /**
   * Returns the latest `iat` in ms. The estimate of the time of Redis is measured from the sending of the last applied
   * sync, so it is never too early. Without a lease it may be too early, because the machine may have been suspended.
   * The limit is then that of the own clock, if that is later.
   */
  at(now: Now, isLeased: boolean): UnixMs {
    const byOwnClock = latestIssueByOwnClock(now.wall, this.#tolerance)
    if (!this.#latest) return byOwnClock
    const byRedis = this.#latest.time + now.monotonic - this.#latest.sent + this.#tolerance
    return isLeased ? byRedis : Math.max(byRedis, byOwnClock)
  }
}
