/** A storage of the client in a keystore: the keychain of the system, or that of a phone. */
import type { AsyncStorage } from 'portcullis/client'

/** Most keystores have these three functions. Those of expo-secure-store have these names. */
export interface Keystore {
  getItemAsync(key: string): Promise<string | null>
  setItemAsync(key: string, value: string): Promise<void>
  deleteItemAsync(key: string): Promise<void>
}

/**
 * Keystores allow few characters in a key. There is no `lock`, so the client keeps its own lock in the keystore.
 *
 * @example
 * import * as SecureStore from 'expo-secure-store'
 * const client = createClient({ baseUrl: 'https://api.example.com', storage: keystoreStorage(SecureStore) })
 */
export function keystoreStorage(keystore: Keystore): AsyncStorage {
  const safe = (key: string) => key.replaceAll(/[^\w.-]/g, '_')
  return {
    getItem: (key) => keystore.getItemAsync(safe(key)),
    setItem: (key, value) => keystore.setItemAsync(safe(key), value),
    removeItem: (key) => keystore.deleteItemAsync(safe(key)),
  }
}
