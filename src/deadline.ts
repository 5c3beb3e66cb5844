import { storeUnavailable } from './errors.js'
import type { Milliseconds } from './clock.js'

/**
 * How long the Redis work of one request may take in all. Each command has its own, shorter time limit; several in a
 * row add up, and an answer must come within 2 s.
 */
export const STORE_DEADLINE: Milliseconds = 1_500

/**
 * What `work` gives, or a `store_unavailable` Refusal when it takes too long. The work isn't cancelled: it may still
 * happen, which is why everything that runs under it may be repeated.
 */
export async function withinDeadline<T>(
  work: Promise<T>,
  deadline: Milliseconds = STORE_DEADLINE,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(storeUnavailable(`no answer within ${deadline} ms`)), deadline)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
