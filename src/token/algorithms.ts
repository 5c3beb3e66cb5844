/** The algorithms of access tokens, and the checks that every key must pass before it signs or verifies with one. */
import type { KeyObject } from 'node:crypto'

export const ALGORITHMS = [
  'ES256',
  'ES384',
  'ES512',
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'HS256',
  'HS384',
  'HS512',
  'EdDSA',
] as const

/** A JWS algorithm (RFC 7518 §3.1, RFC 8037). Never `none`. */
export type Algorithm = (typeof ALGORITHMS)[number]

/** The algorithm of an instance that signs, unless `keys.algorithm` is set. */
export const DEFAULT_ALGORITHM: Algorithm = 'ES256'

/** A key that can't be used. The message says what is wrong and what is needed. It never contains key material. */
export class KeyError extends Error {
  override readonly name = 'KeyError'
}

export const CURVES: Partial<Record<Algorithm, string>> = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' }

/** RFC 7518 §3.3. */
const MIN_RSA_BITS = 2048

/** Returns the `alg` of a JWK as an algorithm, or `undefined` if Portcullis doesn't support it. */
export function toAlgorithm(alg: unknown): Algorithm | undefined {
  // RFC 9864 names the EdDSA of an Ed25519 key `Ed25519`.
  return alg === 'Ed25519' ? 'EdDSA' : ALGORITHMS.find((one) => one === alg)
}

/**
 * Checks that a key is long enough and fits its algorithm (RFC 7518 §3.2, §3.3, §3.4; RFC 8037).
 *
 * @throws {KeyError}
 */
export function checkKey(key: KeyObject, algorithm: Algorithm): void {
  if (algorithm.startsWith('HS')) {
    if (key.type !== 'secret')
      throw unfit(key, `${algorithm} needs a secret (an oct JWK), not a ${describeKey(key)} key`)
    const bytes = key.symmetricKeySize ?? 0
    if (bytes < hashBytes(algorithm)) {
      throw new KeyError(
        `${algorithm} needs a secret of at least ${hashBytes(algorithm)} bytes; this one has ${bytes}`,
      )
    }
    return
  }
  if (key.type === 'secret') throw unfit(key, `${algorithm} needs a private key, not an HMAC secret`)
  const kind = describeKey(key)
  const curve = CURVES[algorithm]
  if (curve) {
    const found = curveOf(key)
    if (found !== curve) throw unfit(key, `${algorithm} needs a key on curve ${curve}, not ${found ?? kind}`)
  } else if (algorithm === 'EdDSA') {
    if (kind !== 'ed25519') throw unfit(key, `EdDSA needs an Ed25519 key, not ${kind}`)
  } else {
    if (kind !== 'rsa') throw unfit(key, `${algorithm} needs an RSA key, not ${kind}`)
    const { modulusLength: bits = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {}
    if (bits < MIN_RSA_BITS) {
      throw new KeyError(`an RSA key needs at least ${MIN_RSA_BITS} bits; this one has ${bits}`)
    }
    // With the exponent 1, everybody can write signatures.
    if (publicExponent < 3n || publicExponent % 2n === 0n)
      throw new KeyError('the public exponent of an RSA key must be odd and at least 3, such as 65537')
  }
}

/** Returns the error for a key of another algorithm, with the most usual algorithm that fits it. */
function unfit(key: KeyObject, message: string): KeyError {
  const algorithm = onlyAlgorithmOf(key) ?? usualAlgorithmOf(key)
  const hint = algorithm === undefined ? '' : `; set keys.algorithm: ${algorithm} for this key`
  return new KeyError(`${message}${hint}`)
}

function usualAlgorithmOf(key: KeyObject): Algorithm | undefined {
  const kind = describeKey(key)
  if (kind === 'secret') return (key.symmetricKeySize ?? 0) < hashBytes('HS256') ? undefined : 'HS256'
  return kind === 'rsa' ? 'RS256' : undefined
}

/** Returns the only algorithm that a key fits, or `undefined` if it fits several (RSA) or none. */
export function onlyAlgorithmOf(key: KeyObject): Algorithm | undefined {
  if (describeKey(key) === 'ed25519') return 'EdDSA'
  const curve = curveOf(key)
  return ALGORITHMS.find((algorithm) => curve !== undefined && CURVES[algorithm] === curve)
}

/** The JWK names of curves that OpenSSL calls otherwise (RFC 7518 §6.2.1.1). */
const JWK_CURVES: Readonly<Record<string, string>> = {
  prime256v1: 'P-256',
  secp384r1: 'P-384',
  secp521r1: 'P-521',
}

/** Returns the curve of an EC key. `undefined` for other keys. */
function curveOf(key: KeyObject): string | undefined {
  const { namedCurve } = key.asymmetricKeyDetails ?? {}
  return namedCurve === undefined ? undefined : (JWK_CURVES[namedCurve] ?? namedCurve)
}

export function describeKey(key: KeyObject): string {
  return key.asymmetricKeyType ?? 'secret'
}

/** Returns the length of the hash in bytes, which is the minimum length of the secret (RFC 7518 §3.2). */
export function hashBytes(algorithm: Algorithm): number {
  return Number(algorithm.slice(2)) / 8
}
