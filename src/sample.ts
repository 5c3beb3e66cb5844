import type { Milliseconds } from './clock.js'

/** Minimum time between two log lines about the same event, which could otherwise repeat for every request. */
const SAMPLE_INTERVAL: Milliseconds = 1_000

/** Returns a function that calls its argument at most once per second and ignores all other calls. */
export function createSampler(): (write: () => void) => void {
  let nextAt = 0
  return (write) => {
    const now = Date.now()
    if (now < nextAt) return
    nextAt = now + SAMPLE_INTERVAL
    write()
  }
}
