/** The place where a client keeps its session. */
import type { Lock } from './lock.js'

/**
 * A storage of your own: a file, a database, a keystore. It has the methods of `localStorage`, which may return promises
 * here. Processes that share the storage share the session.
 *
 * @example
 * const values = new Map()
 * createClient({ baseUrl, storage: {
 *   getItem: (key) => values.get(key),
 *   setItem: (key, value) => void values.set(key, value),
 *   removeItem: (key) => void values.delete(key),
 * } })
 */
export interface AsyncStorage {
  getItem(key: string): string | null | undefined | PromiseLike<string | null | undefined>
  setItem(key: string, value: string): void | PromiseLike<void>
  removeItem(key: string): void | PromiseLike<void>
  /**
   * Runs a function while no other user of the storage runs one under the same name, and returns its result. Without it,
   * the client keeps a lock in the storage itself, which delays each refresh by 50 ms and relies on writes that take less
   * than that.
   */
  lock?: Lock
}

/** Holds one value, whatever its key. */
export function memoryStorage(): AsyncStorage {
  let value: string | undefined
  return {
    getItem: () => value,
    setItem: (_key, text) => void (value = text),
    removeItem: () => void (value = undefined),
  }
}
