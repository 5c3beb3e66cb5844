/** Locks, so that only one client at a time changes a stored session. */
import { browser } from './browser-globals.js'
import type { AsyncStorage } from './storage.js'

/** Runs `work` while no other work runs under the same name, and returns its result. */
export type Lock = <T>(name: string, work: () => Promise<T>) => Promise<T>

/** After this time, a stored lock is free, because its owner must have ended. Longer than a refresh with a repetition. */
const LOCK_MILLISECONDS = 15_000
const PAUSE_MILLISECONDS = 50

export const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, milliseconds)
  })

/** A lock within one client. */
export function queueLock(): Lock {
  let last: Promise<unknown> = Promise.resolve()
  return (_name, work) => {
    const result = last.then(work)
    last = result.catch(() => {})
    return result
  }
}

/** Returns the Web Locks of the browser, or `undefined`: pages without https have none. */
export function webLock(): Lock | undefined {
  const locks = browser.navigator?.locks
  return locks && ((name, work) => locks.request(name, work))
}

/**
 * A lock in the storage itself (Fischer's algorithm): a client writes its name, waits longer than a write takes, and
 * has the lock if its name is still there. If two clients have it by mistake, their refreshes still get the same successor
 * within `tokens.reuseGrace`.
 */
export function storedLock(storage: AsyncStorage): Lock {
  return async (name, work) => {
    const key = `${name}:lock`
    let mine: string
    for (;;) {
      const isHeld = Number.parseFloat((await storage.getItem(key)) as string) > Date.now()
      mine = `${Date.now() + LOCK_MILLISECONDS} ${Math.random()}`
      if (!isHeld) await storage.setItem(key, mine)
      await pause(PAUSE_MILLISECONDS)
      if (!isHeld && (await storage.getItem(key)) === mine) break
    }
    try {
      return await work()
    } finally {
      if ((await storage.getItem(key)) === mine) await storage.removeItem(key)
    }
  }
}
