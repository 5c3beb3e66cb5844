/** Unix time in milliseconds. Every `…At` inside Portcullis is one of these; the wire and JWTs have seconds. */
export type UnixMs = number

/** Unix time in whole seconds, as JWT's `iat` and `exp` (RFC 7519 §2, NumericDate) and the HTTP bodies have it. */
export type UnixSeconds = number

/** A duration in milliseconds. */
export type Milliseconds = number

/** Where the time comes from. Tests pass one that they move. */
export interface Clock {
  /** The wall clock. */
  now(): UnixMs
}

export const systemClock: Clock = { now: () => Date.now() }

/** The time at the process's start plus what has passed since: nobody sets it, and it stands still in a suspended machine. */
export const steadyClock: Clock = { now: () => performance.timeOrigin + performance.now() }

/** The whole second that `at` lies in. */
export function toSeconds(at: UnixMs): UnixSeconds {
  return Math.floor(at / 1000)
}
