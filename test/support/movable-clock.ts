import type { Clock } from '../../src/clock.js'

/** A clock that stands still until a test moves it. Times are Unix milliseconds. */
export class MovableClock implements Clock {
  #now: number

  /** Starts at a whole second by default, so that rounding to seconds shows only when a test asks for it. */
  constructor(startAt = 1_800_000_000_000) {
    this.#now = startAt
  }

  now(): number {
    return this.#now
  }

  /** Moves the clock forward (or, with a negative number, back) by `milliseconds`. */
  advance(milliseconds: number): void {
    this.#now += milliseconds
  }
}
