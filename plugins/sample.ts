import type { Milliseconds } from '../src/clock.js'

/** In an outage each request would be a line; one a second is told as a sample of all. */
const SAMPLE_EVERY: Milliseconds = 1_000

/** Calls `tell` now and then, however often it is asked. */
export function createSampler(): (tell: () => void) => void {
  let nextAt = 0
  return (tell) => {
    const now = Date.now()
    if (now < nextAt) return
    nextAt = now + SAMPLE_EVERY
    tell()
  }
}
