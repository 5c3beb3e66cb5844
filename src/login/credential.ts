import { createHash } from 'node:crypto'

/** Length of a fingerprint, in characters. 96 bits, so two hashes of one user never have the same by accident. */
const LENGTH = 16

/**
 * Returns a fingerprint of a password hash. A session stores it, so that the session ends when the user gets another
 * password.
 *
 * Whoever reads the store learns nothing from it. It is a part of the SHA-256 of the whole hash field, which contains a
 * random salt and the hash itself. So neither the field nor the password can be guessed from the fingerprint: every
 * guess would need the salt, which is only in the users file.
 */
export function fingerprint(hash: string): string {
  return createHash('sha256').update(hash).digest('base64url').slice(0, LENGTH)
}
