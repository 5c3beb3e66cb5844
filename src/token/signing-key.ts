/**
 * Signing keys: made, read, and judged. One key has one algorithm, ours; what a token's header says is only compared
 * with it (RFC 8725 §3.1).
 */
import {
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  generateKeyPairSync,
  randomBytes,
  sign,
  verify,
} from 'node:crypto'
import type { JsonWebKey, KeyObject } from 'node:crypto'
import { calculateJwkThumbprint } from 'jose'
import type { JWK } from 'jose'

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

/** A JWS algorithm (RFC 7518 §3.1, RFC 8037). `none` is not among them. */
export type Algorithm = (typeof ALGORITHMS)[number]

export interface SigningKey {
  readonly algorithm: Algorithm
  /** RFC 7638 thumbprint: equal keys have equal ids everywhere. */
  readonly kid: string
  /** What signs: a private key, or the secret of an HMAC. */
  readonly private: KeyObject
  /** What verifies: a public key, or the secret of an HMAC. */
  readonly public: KeyObject
  /** For the JWKS endpoint (RFC 7517); undefined for an HMAC, whose key is nobody else's. */
  readonly publicJwk: JWK | undefined
}

/** A key that can't be used. The message says what is wrong with it and what would be right, and never shows it. */
export class KeyError extends Error {
  override readonly name = 'KeyError'
}

const CURVES: Partial<Record<Algorithm, string>> = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' }
const RSA_BITS = { made: 3072, least: 2048 }

/** A new private key as JWK. */
export function generateKey(algorithm: Algorithm): JWK {
  if (algorithm.startsWith('HS')) {
    return { kty: 'oct', k: randomBytes(hashBytes(algorithm)).toString('base64url'), alg: algorithm }
  }
  const { privateKey } = generatePair(algorithm)
  return { ...(privateKey.export({ format: 'jwk' }) as JWK), alg: algorithm }
}

function generatePair(algorithm: Algorithm) {
  if (algorithm === 'EdDSA') return generateKeyPairSync('ed25519')
  const namedCurve = CURVES[algorithm]
  if (namedCurve) return generateKeyPairSync('ec', { namedCurve })
  return generateKeyPairSync('rsa', { modulusLength: RSA_BITS.made })
}

/**
 * Reads a key from PEM (PKCS #8, PKCS #1, SEC 1) or JWK text, for one algorithm.
 *
 * @throws {KeyError} if it is unreadable, public, weak, or not one for the algorithm.
 */
export async function importKey(text: string, algorithm: Algorithm): Promise<SigningKey> {
  const trimmed = text.trim()
  const secret = trimmed.startsWith('{') ? fromJwk(trimmed, algorithm) : fromPem(trimmed)
  checkKey(secret, algorithm)
  const isSymmetric = secret.type === 'secret'
  const verifying = isSymmetric ? secret : createPublicKey(secret)
  if (!isSymmetric) checkKeyPair(secret, verifying)
  const jwk = verifying.export({ format: 'jwk' }) as JWK
  const kid = await calculateJwkThumbprint(jwk)
  return {
    algorithm,
    kid,
    private: secret,
    public: verifying,
    publicJwk: isSymmetric ? undefined : { ...jwk, kid, alg: algorithm, use: 'sig' },
  }
}

function fromJwk(text: string, algorithm: Algorithm): KeyObject {
  let jwk: JWK
  try {
    jwk = JSON.parse(text) as JWK
  } catch {
    throw new KeyError('it begins like a JWK but is not valid JSON')
  }
  if (jwk.alg !== undefined && jwk.alg !== algorithm) {
    throw new KeyError(`the JWK is for alg ${String(jwk.alg)}, but keys.algorithm is ${algorithm}`)
  }
  if (jwk.use !== undefined && jwk.use !== 'sig') {
    throw new KeyError(`the JWK has use "${String(jwk.use)}"; a signing key has "sig" or none`)
  }
  if (jwk.kty === 'oct') {
    if (typeof jwk.k !== 'string') throw new KeyError('the oct JWK has no "k"')
    // Buffer drops what isn't base64url, so a pass phrase would give a secret that is weaker than its length.
    if (!/^[\w-]*$/.test(jwk.k)) throw new KeyError('the oct JWK’s "k" is not base64url (RFC 7518 §6.4.1)')
    return createSecretKey(Buffer.from(jwk.k, 'base64url'))
  }
  if (jwk.d === undefined) throw new KeyError('the JWK is a public key; the private one is needed to sign')
  try {
    return createPrivateKey({ key: jwk as JsonWebKey, format: 'jwk' })
  } catch {
    throw new KeyError('the JWK can’t be read as a private key')
  }
}

function fromPem(text: string): KeyObject {
  if (!text.startsWith('-----BEGIN')) throw new KeyError('it is neither PEM nor a JWK')
  if (/^-----BEGIN (?:RSA |EC )?PUBLIC KEY/.test(text)) {
    throw new KeyError('the PEM is a public key; the private one is needed to sign')
  }
  try {
    return createPrivateKey(text)
  } catch {
    throw new KeyError('the PEM can’t be read as an unencrypted private key')
  }
}

/** Refuses what is weak or not of the algorithm's kind (RFC 7518 §3.2, §3.3, §3.4; RFC 8037). */
function checkKey(key: KeyObject, algorithm: Algorithm): void {
  if (algorithm.startsWith('HS')) {
    if (key.type !== 'secret')
      throw new KeyError(`${algorithm} needs a secret (an oct JWK), not a ${describeKey(key)} key`)
    const bytes = key.symmetricKeySize ?? 0
    if (bytes < hashBytes(algorithm)) {
      throw new KeyError(
        `${algorithm} needs a secret of at least ${hashBytes(algorithm)} bytes; this one has ${bytes}`,
      )
    }
    return
  }
  if (key.type === 'secret') throw new KeyError(`${algorithm} needs a private key, not an HMAC secret`)
  const kind = describeKey(key)
  const curve = CURVES[algorithm]
  if (curve) {
    const jwk = kind === 'ec' ? key.export({ format: 'jwk' }) : undefined
    if (jwk?.crv !== curve)
      throw new KeyError(`${algorithm} needs a key on curve ${curve}, not ${jwk?.crv ?? kind}`)
  } else if (algorithm === 'EdDSA') {
    if (kind !== 'ed25519') throw new KeyError(`EdDSA needs an Ed25519 key, not ${kind}`)
  } else {
    if (kind !== 'rsa') throw new KeyError(`${algorithm} needs an RSA key, not ${kind}`)
    const bits = key.asymmetricKeyDetails?.modulusLength ?? 0
    if (bits < RSA_BITS.least) {
      throw new KeyError(`an RSA key needs at least ${RSA_BITS.least} bits; this one has ${bits}`)
    }
  }
}

/** A JWK states the public part beside the private one; where they differ, no token would ever verify. */
function checkKeyPair(signing: KeyObject, verifying: KeyObject): void {
  const hash = describeKey(signing) === 'ed25519' ? null : 'sha256'
  const sample = Buffer.from('sample')
  if (verify(hash, sample, verifying, sign(hash, sample, signing))) return
  throw new KeyError('the JWK’s private and its public part don’t belong together')
}

function describeKey(key: KeyObject): string {
  return key.asymmetricKeyType ?? 'secret'
}

/** RFC 7518 §3.2: the secret must be at least as long as the hash. */
function hashBytes(algorithm: Algorithm): number {
  return Number(algorithm.slice(2)) / 8
}
