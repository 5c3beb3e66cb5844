import type { Milliseconds } from './clock.js'
import { PortcullisError } from './errors.js'

/** Bounds how often this process does something per second, for all clients together. */
export class RateBound {
  readonly #perSecond: number
  readonly #now: () => Milliseconds
  #second = 0
  #count = 0

  /** @param now A clock that never jumps. */
  constructor(perSecond: number, now: () => Milliseconds = () => performance.now()) {
    this.#perSecond = perSecond
    this.#now = now
  }

  /**
   * Counts one.
   *
   * @throws {PortcullisError} `overloaded` if the bound of this second is reached
   */
  take(): void {
    const second = Math.floor(this.#now() / 1000)
    if (second !== this.#second) this.#count = 0
    this.#second = second
    if (this.#count >= this.#perSecond)
      throw new PortcullisError('overloaded', { reason: 'unknown sessions' })
    this.#count += 1
  }
}
