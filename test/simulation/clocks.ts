import type { Now } from '../../src/revocation/replica/instance.js'

/** Where the true time of every simulation begins, as a wall clock shows it. */
export const BEGINNING = 1_800_000_000_000

/** How far a clock's rate may be off: m / (2L + m) for m = L / 10. */
export const DRIFT = 0.1 / 2.1

/** An instance's two clocks. Each has a rate of its own, and the wall clock an offset. `t` is the true time. */
export class Clocks {
  readonly rate: number
  readonly #wallRate: number
  readonly #origin: number
  #offset: number
  #suspended = 0

  constructor({ rate = 1, wallRate = 1, offset = 0, origin = 0 } = {}) {
    this.rate = rate
    this.#wallRate = wallRate
    this.#offset = offset
    this.#origin = origin
  }

  at(t: number): Now {
    return {
      monotonic: this.#origin + (t - this.#suspended) * this.rate,
      wall: BEGINNING + t * this.#wallRate + this.#offset,
    }
  }

  /** How far the wall clock is ahead of the true time. */
  offset(t: number): number {
    return this.at(t).wall - BEGINNING - t
  }

  step(milliseconds: number): void {
    this.#offset += milliseconds
  }

  /** The machine is suspended for so long: its monotonic clock stands, its wall clock doesn't. */
  suspend(milliseconds: number): void {
    this.#suspended += milliseconds
  }
}
