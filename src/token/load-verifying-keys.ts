import { findReplaceWarnings, findTrustWarnings } from '../file-trust.js'
import { KeyError } from './algorithms.js'
import type { Algorithm } from './algorithms.js'
import { readGivenKey } from './key-directory.js'
import type { GivenKey } from './key-directory.js'
import { importVerifyingKeys, joinKeys } from './verifying-keys.js'
import type { VerifyingKey } from './verifying-keys.js'

export interface LoadedVerifyingKeys {
  readonly keys: readonly VerifyingKey[]
  /** Sentences for the operator, such as a warning about a file that other users can change. */
  readonly warnings: readonly string[]
}

/**
 * Loads the public keys of an instance that only verifies (`keys.verify`).
 *
 * @param algorithm The setting `keys.algorithm`.
 * @throws {KeyError} if a key can't be read or used. The message names the setting.
 */
export async function loadVerifyingKeys(
  given: readonly GivenKey[],
  algorithm: Algorithm | undefined,
): Promise<LoadedVerifyingKeys> {
  const keys: VerifyingKey[] = []
  const warnings: string[] = []
  for (const [i, one] of given.entries()) {
    const setting = given.length === 1 ? 'keys.verify' : `keys.verify[${i}]`
    const text = await readGivenKey(one, setting)
    const imported = await named(setting, () => importVerifyingKeys(text, algorithm))
    keys.push(...imported.keys)
    warnings.push(...imported.leftOut.map((sentence) => `${setting}: ${sentence}`))
    if (one.from === 'file') {
      warnings.push(
        ...(await findTrustWarnings(one.path, 'the key file', false)),
        ...(await findReplaceWarnings(one.path, 'the key file')),
      )
    }
  }
  return { keys: await named('keys.verify', () => joinKeys(keys)), warnings }
}

async function named<T>(setting: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof KeyError) throw new KeyError(`${setting}: ${error.message}`)
    throw error
  }
}
