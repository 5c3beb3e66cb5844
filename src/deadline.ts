import { storeUnavailable } from './errors.js'
import type { Milliseconds } from './clock.js'

/**
 * How long the Redis work of one request may take in all. Each command has its own, shorter time limit; several in a
 * row add up, and a response must come within 2 s.
 */
export const STORE_DEADLINE: Milliseconds = 1_500

/**
 * Calls `onLate` after `limit`, unless it was cancelled before.
 *
 * After a stall of the event loop Node runs timers before it reads sockets. A plain timer would then fire although the
 * reply has long been there to be read, so sockets are read once more first.
 *
 * @returns Cancels the limit.
 */
export function startTimeLimit(limit: Milliseconds, onLate: () => void): () => void {
  let immediate: NodeJS.Immediate | undefined
  const timer = setTimeout(() => (immediate = setImmediate(onLate)), limit)
  return () => {
    clearTimeout(timer)
    clearImmediate(immediate)
  }
}

/**
 * Resolves as `work` does, or rejects with `store_unavailable` when it takes too long. The work isn't cancelled: it may
 * still happen, which is why everything that runs under a deadline may be repeated.
 */
export async function withinDeadline<T>(
  work: Promise<T>,
  deadline: Milliseconds = STORE_DEADLINE,
): Promise<T> {
  let cancel: (() => void) | undefined
  const late = new Promise<never>((_, reject) => {
    cancel = startTimeLimit(deadline, () => reject(storeUnavailable(`no answer within ${deadline} ms`)))
  })
  try {
    return await Promise.race([work, late])
  } finally {
    cancel?.()
  }
}
