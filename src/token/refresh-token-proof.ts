/**
 * The proof in a refresh token that this deployment has issued it. An invented token has none, so it can be told apart
 * before the store is queried, and before anything is written because of it.
 *
 * The proof is a MAC of session and family. Its key is derived from the signing key (HKDF, RFC 5869), so every instance
 * with the same signing key can check it. It doesn't replace the hashes in the store: a token with a proof may still be
 * used up, or its session may have ended.
 */
import { createHmac, createSecretKey, hkdfSync, timingSafeEqual } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import type { RefreshToken } from './refresh-token.js'

/** Separates this key from other keys that may be derived from the same signing key. */
const PURPOSE = 'portcullis refresh token v1'
/** 128 bits, which are 22 characters in base64url. */
const PROOF_BYTES = 16

export class RefreshTokenProof {
  readonly #keys: readonly KeyObject[]

  /**
   * @param signingKeys Private keys or HMAC secrets. The first one creates proofs, and all of them check proofs. Without
   *   any, no proof is good.
   */
  constructor(signingKeys: readonly KeyObject[]) {
    this.#keys = signingKeys.map(deriveKey)
  }

  /**
   * Returns the proof for a token. All tokens of a session have the same proof.
   *
   * @throws {TypeError} if there is no key
   */
  create(token: RefreshToken): string {
    const [key] = this.#keys
    if (key === undefined) throw new TypeError('there is no signing key to create a proof with')
    return computeMac(key, token)
  }

  /** Returns true if the proof was created with one of the keys. */
  check(token: RefreshToken, proof: string): boolean {
    const given = Buffer.from(proof)
    return this.#keys.some((key) => {
      const expected = Buffer.from(computeMac(key, token))
      return expected.length === given.length && timingSafeEqual(expected, given)
    })
  }
}

function computeMac(key: KeyObject, { sid, family }: RefreshToken): string {
  const mac = createHmac('sha256', key).update(`${sid}.${family}`).digest()
  return mac.toString('base64url', 0, PROOF_BYTES)
}

/**
 * Derives a MAC key from the private value of a key. That value is the same in every encoding of the key (PEM, JWK),
 * unlike its DER form.
 */
function deriveKey(signingKey: KeyObject): KeyObject {
  const { d, k } = signingKey.export({ format: 'jwk' })
  const secret = Buffer.from(String(d ?? k), 'base64url')
  return createSecretKey(Buffer.from(hkdfSync('sha256', secret, '', PURPOSE, 32)))
}
