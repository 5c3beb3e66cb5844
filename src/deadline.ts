import { storeUnavailable } from './errors.js'
import type { Milliseconds } from './clock.js'

/**
 * The limit on all Redis work of one request. Each command has a shorter limit of its own, but the limits of several
 * commands in a row add up. Responses are due within 2 s.
 */
export const STORE_DEADLINE: Milliseconds = 1_500

/**
 * Calls `onLate` after `limit`, unless the limit is cancelled first.
 *
 * After the event loop has stalled, Node runs timers before it reads sockets. A plain timer would then fire although
 * the reply has already arrived in the socket. Therefore this one lets Node read its sockets once more before it calls
 * `onLate`.
 *
 * @returns A function that cancels the limit.
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
 * Returns the result of `work`, unless it takes longer than `deadline`. Late work isn't cancelled and may still take
 * effect, so only work that is safe to repeat may run under a deadline.
 *
 * @param worker The one who does the work, for the log.
 * @throws {PortcullisError} `store_unavailable` after the deadline. Errors of `work` are passed on.
 */
export async function withinDeadline<T>(
  work: Promise<T>,
  deadline: Milliseconds = STORE_DEADLINE,
  worker = 'the store',
): Promise<T> {
  let cancel: (() => void) | undefined
  const late = new Promise<never>((_, reject) => {
    cancel = startTimeLimit(deadline, () =>
      reject(storeUnavailable(`no response from ${worker} within ${Math.round(deadline)} ms`)),
    )
  })
  try {
    return await Promise.race([work, late])
  } finally {
    cancel?.()
  }
}

/** A deadline that several steps of one request share. The time between the steps isn't counted. */
export class TimeBudget {
  #left: Milliseconds

  constructor(limit: Milliseconds = STORE_DEADLINE) {
    this.#left = limit
  }

  /**
   * Returns the result of `work`, as `withinDeadline` does with the time that is left.
   *
   * @throws {PortcullisError} `store_unavailable` when no time is left. Errors of `work` are passed on.
   */
  async run<T>(work: Promise<T>): Promise<T> {
    const began = performance.now()
    try {
      return await withinDeadline(work, this.#left)
    } finally {
      this.#left = Math.max(0, this.#left - (performance.now() - began))
    }
  }
}
