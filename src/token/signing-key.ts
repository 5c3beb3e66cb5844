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
import { CURVES, KeyError, checkKey, describeKey, hashBytes, toAlgorithm } from './algorithms.js'
import type { Algorithm } from './algorithms.js'
import { normaliseKeyText } from './key-text.js'

export { ALGORITHMS, DEFAULT_ALGORITHM, KeyError } from './algorithms.js'
export type { Algorithm } from './algorithms.js'

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

const NEW_RSA_BITS = 3072

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
  if (jwk.alg !== undefined && toAlgorithm(jwk.alg) !== algorithm) {
    const fitting = toAlgorithm(jwk.alg)
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
