import type { Milliseconds } from '../clock.js'

/** Time before the rate is checked, and between two checks. */
const WINDOW: Milliseconds = 5000

/**
 * Checks that a body arrives with a minimum rate, in each window of 5 s. A client that sends a byte now and then would
 * otherwise occupy a connection to an upstream for as long as it likes. The time in which the gateway doesn't read,
 * because the upstream is slow, isn't counted.
 */
export class BodyRate {
  /** Bytes per millisecond. */
  readonly #min: number
  #windowStart: Milliseconds
  #bytes = 0
  #pausedAt: Milliseconds | undefined

  /** @param min Bytes per second. 0 disables the check. */
  constructor(min: number) {
    this.#min = min / 1000
    this.#windowStart = performance.now()
  }

  /** Counts a piece. Returns false if the body arrives too slowly. */
  add(bytes: number): boolean {
    this.#bytes += bytes
    const elapsed = performance.now() - this.#windowStart
    if (elapsed < WINDOW) return true
    if (this.#bytes < this.#min * elapsed) return false
    this.#windowStart += elapsed
    this.#bytes = 0
    return true
  }

  pause(): void {
    this.#pausedAt ??= performance.now()
  }

  resume(): void {
    if (this.#pausedAt !== undefined) this.#windowStart += performance.now() - this.#pausedAt
    this.#pausedAt = undefined
  }
}
