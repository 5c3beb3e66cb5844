/**
 * Generates, imports and checks signing keys. A key has one algorithm, set by the configuration. The `alg` of a token's
 * header is only compared with it (RFC 8725 §3.1).
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
import { normaliseKeyText } from './key-text.js'

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

export interface SigningKey {
  readonly algorithm: Algorithm
  /** The RFC 7638 thumbprint. Equal keys have the same id in every instance. */
  readonly kid: string
  /** The private key, or the secret of an HMAC. */
  readonly private: KeyObject
  /** The public key, or the secret of an HMAC. */
  readonly public: KeyObject
  /** The key as the JWKS endpoint shows it (RFC 7517); `undefined` for an HMAC, because its key is secret. */
  readonly publicJwk: JWK | undefined
}

/** A key that can't be used. The message says what is wrong and what is needed. It never contains key material. */
export class KeyError extends Error {
  override readonly name = 'KeyError'
}

const CURVES: Partial<Record<Algorithm, string>> = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' }
const NEW_RSA_BITS = 3072
/** RFC 7518 §3.3. */
const MIN_RSA_BITS = 2048

/** Generates a private key (or an HMAC secret) and returns it as a JWK. */
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
  return generateKeyPairSync('rsa', { modulusLength: NEW_RSA_BITS })
}

/**
 * Reads a key from PEM (PKCS #8, PKCS #1, SEC 1) or JWK text, or from a JWK Set of one key, for one algorithm.
 *
 * @throws {KeyError} if the text can't be read, the key is public or too short, or it doesn't fit the algorithm
 */
export async function importKey(text: string, algorithm: Algorithm): Promise<SigningKey> {
  const usual = normaliseKeyText(text)
  const secret = usual.startsWith('{') ? fromJwk(usual, algorithm) : fromPem(usual)
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
  const jwk = parseJwk(text)
  // RFC 9864 names the EdDSA of an Ed25519 key `Ed25519`.
  const alg = jwk.alg === 'Ed25519' ? 'EdDSA' : jwk.alg
  if (alg !== undefined && alg !== algorithm) {
    const fitting = ALGORITHMS.find((one) => one === alg)
    const hint = fitting === undefined ? '' : `; set keys.algorithm: ${fitting} for this key`
    throw new KeyError(`the JWK is for alg ${String(jwk.alg)}, but keys.algorithm is ${algorithm}${hint}`)
  }
  if (jwk.use !== undefined && jwk.use !== 'sig') {
    throw new KeyError(`the JWK has use "${String(jwk.use)}"; a signing key has "sig" or none`)
  }
  if (jwk.kty === 'oct') {
    if (typeof jwk.k !== 'string') throw new KeyError('the oct JWK has no "k"')
    // Buffer skips characters that aren't base64url. A pass phrase would become a shorter secret than it looks.
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

function parseJwk(text: string): JWK {
  let parsed: JWK & { readonly keys?: unknown }
  try {
    parsed = JSON.parse(text) as JWK
  } catch {
    throw new KeyError('the text begins like a JWK but is not valid JSON')
  }
  const { keys } = parsed
  if (!Array.isArray(keys)) return parsed
  const [key, ...others] = keys as JWK[]
  if (key === undefined || others.length > 0)
    throw new KeyError(`the JWK Set has ${keys.length} keys; write only the key that signs`)
  return key
}

function fromPem(text: string): KeyObject {
  if (!text.startsWith('-----BEGIN')) throw new KeyError('the key is neither PEM nor a JWK')
  if (/^-----BEGIN (?:RSA |EC )?PUBLIC KEY/.test(text)) {
    throw new KeyError('the PEM is a public key; the private one is needed to sign')
  }
  try {
    return createPrivateKey(text)
  } catch {
    throw new KeyError('the PEM can’t be read as an unencrypted private key')
  }
}

/**
 * Checks that a key is long enough and fits its algorithm (RFC 7518 §3.2, §3.3, §3.4; RFC 8037).
 *
 * @throws {KeyError}
 */
function checkKey(key: KeyObject, algorithm: Algorithm): void {
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
    const jwk = kind === 'ec' ? key.export({ format: 'jwk' }) : undefined
    if (jwk?.crv !== curve)
      throw unfit(key, `${algorithm} needs a key on curve ${curve}, not ${jwk?.crv ?? kind}`)
  } else if (algorithm === 'EdDSA') {
    if (kind !== 'ed25519') throw unfit(key, `EdDSA needs an Ed25519 key, not ${kind}`)
  } else {
    if (kind !== 'rsa') throw unfit(key, `${algorithm} needs an RSA key, not ${kind}`)
    const bits = key.asymmetricKeyDetails?.modulusLength ?? 0
    if (bits < MIN_RSA_BITS) {
      throw new KeyError(`an RSA key needs at least ${MIN_RSA_BITS} bits; this one has ${bits}`)
    }
  }
}

/**
 * Checks that the two parts of a key belong together. A JWK contains the public part next to the private one. If they
 * differ, no token could ever be verified.
 *
 * @throws {KeyError}
 */
function checkKeyPair(signing: KeyObject, verifying: KeyObject): void {
  const hash = describeKey(signing) === 'ed25519' ? null : 'sha256'
  const sample = Buffer.from('sample')
  if (verify(hash, sample, verifying, sign(hash, sample, signing))) return
  throw new KeyError('the private and the public part of the JWK don’t belong together')
}

/** Returns the error for a key of another algorithm, with the algorithm that fits it. */
function unfit(key: KeyObject, message: string): KeyError {
  const algorithm = findAlgorithm(key)
  const hint = algorithm === undefined ? '' : `; set keys.algorithm: ${algorithm} for this key`
  return new KeyError(`${message}${hint}`)
}

/** Returns the most usual algorithm that a key is fit for. */
function findAlgorithm(key: KeyObject): Algorithm | undefined {
  const kind = describeKey(key)
  if (kind === 'secret') return (key.symmetricKeySize ?? 0) < hashBytes('HS256') ? undefined : 'HS256'
  if (kind === 'rsa') return 'RS256'
  if (kind === 'ed25519') return 'EdDSA'
  if (kind !== 'ec') return undefined
  const { crv } = key.export({ format: 'jwk' })
  return ALGORITHMS.find((algorithm) => CURVES[algorithm] === crv)
}

function describeKey(key: KeyObject): string {
  return key.asymmetricKeyType ?? 'secret'
}

/** Returns the length of the hash in bytes, which is the minimum length of the secret (RFC 7518 §3.2). */
function hashBytes(algorithm: Algorithm): number {
  return Number(algorithm.slice(2)) / 8
}
