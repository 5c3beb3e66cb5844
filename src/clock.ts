/** Unix time in milliseconds. Every name that ends in `At` holds one. HTTP bodies and JWTs use seconds instead. */
export type UnixMs = number

/** Unix time in whole seconds, the unit of `iat` and `exp` (RFC 7519 §2, NumericDate) and of the HTTP bodies. */
export type UnixSeconds = number

/** A duration in milliseconds. */
export type Milliseconds = number

/** τ: the tolerated difference between the wall clock of an instance and the clock of Redis. */
export const CLOCK_TOLERANCE: Milliseconds = 2_000

/** A source of the current time. Tests pass a clock that they can move. */
export interface Clock {
  /** Returns the current time. */
  now(): UnixMs
}

export const systemClock: Clock = { now: () => Date.now() }

/**
 * The start time of the process plus the time elapsed since then. It never jumps when the system clock is set, and it
 * doesn't advance while the machine is suspended.
 */
export const steadyClock: Clock = { now: () => performance.timeOrigin + performance.now() }

/** Returns the whole second that contains `at`. */
export function toSeconds(at: UnixMs): UnixSeconds {
  return Math.floor(at / 1000)
}
