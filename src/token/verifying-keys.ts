/** Imports public keys for instances that verify tokens and sign none. */
import { createPublicKey } from 'node:crypto'
import type { JsonWebKey, KeyObject } from 'node:crypto'
import { calculateJwkThumbprint } from 'jose'
import type { JWK } from 'jose'
import { hasLoneSurrogate } from '../lone-surrogate.js'
import { KeyError, checkKey, describeKey, onlyAlgorithmOf, toAlgorithm } from './algorithms.js'
import type { Algorithm } from './algorithms.js'
import { findPemLabels, normaliseKeyText } from './key-text.js'

/** A public key, which verifies the tokens of another instance. */
export interface VerifyingKey {
  readonly algorithm: Algorithm
  /** The `kid` of the JWK, else the RFC 7638 thumbprint, which is the `kid` that Portcullis writes into tokens. */
  readonly kid: string
  readonly public: KeyObject
  /** The RFC 7638 thumbprint. Equal keys have the same one. */
  readonly thumbprint: string
}

export interface ImportedKeys {
  /** At least one key. Each `kid` occurs once. */
  readonly keys: readonly VerifyingKey[]
  /** Sentences about keys of a JWK Set that can't verify tokens here. */
  readonly leftOut: readonly string[]
}

/** Maximum number of keys of one instance. */
const MAX_KEYS = 100
/** Maximum length of a `kid`, in characters. */
const MAX_KID_LENGTH = 256

/**
 * Reads public keys: a PEM public key, a certificate, a JWK, or a JWK Set. The dates and the issuer of a certificate
 * aren't checked. Keys of a set that are for encryption or of an unknown type are ignored.
 *
 * @param algorithm The algorithm of the tokens (`keys.algorithm`). Without it, each key must say or imply its own.
 * @throws {KeyError} if the text contains a private key or a secret, or no key in it can verify tokens
 */
export async function importVerifyingKeys(text: string, algorithm?: Algorithm): Promise<ImportedKeys> {
  const usual = normaliseKeyText(text)
  if (!usual.startsWith('{')) {
    return { keys: [await describe(readPem(text, usual), algorithm, undefined)], leftOut: [] }
  }
  const jwk = parseJson(usual)
  return Array.isArray(jwk.keys)
    ? importMembers(jwk.keys, algorithm)
    : { keys: [await importJwk(jwk, algorithm)], leftOut: [] }
}

/**
 * Reads the keys of a JWK Set (RFC 7517 §5), as {@link importVerifyingKeys} does.
 *
 * @throws {KeyError} also if the text is anything else
 */
export async function importKeySet(text: string, algorithm?: Algorithm): Promise<ImportedKeys> {
  const { keys } = parseJson(text)
  if (!Array.isArray(keys)) throw new KeyError('the text is not a JWK Set')
  return importMembers(keys, algorithm)
}

/**
 * Joins keys from several texts. A key that occurs twice is kept once.
 *
 * @throws {KeyError} if different keys have the same `kid`, or there are more than 100
 */
export function joinKeys(all: readonly VerifyingKey[]): VerifyingKey[] {
  const byKid = new Map<string, VerifyingKey>()
  for (const key of all) {
    const other = byKid.get(key.kid)
    if (other !== undefined && !isSameKey(key, other))
      throw new KeyError(`two different keys have the kid ${show(key.kid)}`)
    byKid.set(key.kid, other ?? key)
  }
  if (byKid.size > MAX_KEYS)
    throw new KeyError(`there are ${byKid.size} keys; at most ${MAX_KEYS} are allowed`)
  return [...byKid.values()]
}

/** Returns true if two keys verify the same tokens. */
export function isSameKey(a: VerifyingKey, b: VerifyingKey): boolean {
  return a.kid === b.kid && a.algorithm === b.algorithm && a.thumbprint === b.thumbprint
}

async function importMembers(
  members: readonly unknown[],
  algorithm: Algorithm | undefined,
): Promise<ImportedKeys> {
  if (members.length > MAX_KEYS)
    throw new KeyError(`the JWK Set has ${members.length} keys; at most ${MAX_KEYS} are allowed`)
  const keys: VerifyingKey[] = []
  const leftOut: string[] = []
  for (const member of members) {
    const jwk = Object(member) as JWK
    rejectSecrets(jwk)
    // RFC 7517 §5: ignore keys of a type that isn't understood.
    if (jwk.use === 'enc' || !KEY_TYPES.has(String(jwk.kty))) continue
    try {
      keys.push(await importJwk(jwk, algorithm))
    } catch (error) {
      if (!(error instanceof KeyError)) throw error
      leftOut.push(`the key ${show(jwk.kid)} of the JWK Set is ignored: ${error.message}`)
    }
  }
  if (keys.length === 0) {
    const why = leftOut.length === 0 ? '' : `: ${leftOut.join('; ')}`
    throw new KeyError(`the JWK Set has no key that can verify tokens${why}`)
  }
  return { keys: joinKeys(keys), leftOut }
}

const KEY_TYPES: ReadonlySet<string> = new Set(['EC', 'RSA', 'OKP'])
/** Private members of JWKs (RFC 7518 §6.2.2, §6.3.2, RFC 8037 §2). */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth'] as const

async function importJwk(jwk: JWK, given: Algorithm | undefined): Promise<VerifyingKey> {
  rejectSecrets(jwk)
  const { kty, use, key_ops, alg, crv, x, y, n, e } = jwk
  if (!KEY_TYPES.has(String(kty)))
    throw new KeyError(`the JWK has the type ${show(kty)}; write EC, RSA or OKP`)
  if (use !== undefined && use !== 'sig') throw new KeyError(`the JWK has use ${show(use)}, not "sig"`)
  if (key_ops !== undefined && !(Array.isArray(key_ops) && key_ops.includes('verify')))
    throw new KeyError('the JWK has key_ops without "verify"')
  const own = toAlgorithm(alg)
  if (alg !== undefined && own === undefined)
    throw new KeyError(`the JWK is for alg ${show(alg)}, which is not supported`)
  if (own !== undefined && given !== undefined && own !== given)
    throw new KeyError(`the JWK is for alg ${own}, but keys.algorithm is ${given}`)
  let key: KeyObject
  try {
    key = createPublicKey({ key: { kty, crv, x, y, n, e } as JsonWebKey, format: 'jwk' })
  } catch {
    throw new KeyError('the JWK can’t be read as a public key')
  }
  return describe(key, own ?? given, jwk.kid)
}

/** Refuses keys that could sign. An instance that only verifies must not be able to leak one. */
function rejectSecrets(jwk: JWK): void {
  if (jwk.kty === 'oct' || jwk.k !== undefined) {
    throw new KeyError(
      'the JWK is a secret (oct); whoever verifies with it can also sign, so only public keys are accepted',
    )
  }
  if (PRIVATE_MEMBERS.some((name) => jwk[name] !== undefined))
    throw new KeyError('the JWK contains a private key; write only its public part')
}

/**
 * @param text The PEM as it was written.
 * @param usual Its first block.
 */
function readPem(text: string, usual: string): KeyObject {
  const labels = findPemLabels(text)
  if (labels.some((label) => label.endsWith('PRIVATE KEY')) || usual.includes('PRIVATE KEY'))
    throw new KeyError('the PEM contains a private key; write only the public key')
  if (labels.filter((label) => label.endsWith('PUBLIC KEY')).length > 1)
    throw new KeyError('the PEM contains several public keys; write each as an item of a list')
  if (!usual.startsWith('-----BEGIN'))
    throw new KeyError('the text is neither a PEM, nor a JWK, nor a JWK Set')
  try {
    return createPublicKey(usual)
  } catch {
    throw new KeyError('the PEM can’t be read as a public key or a certificate')
  }
}

async function describe(key: KeyObject, given: Algorithm | undefined, kid: unknown): Promise<VerifyingKey> {
  const algorithm = given ?? onlyAlgorithmOf(key)
  if (algorithm === undefined) {
    throw new KeyError(
      describeKey(key) === 'rsa'
        ? 'an RSA key fits several algorithms; set keys.algorithm to that of the tokens, such as RS256'
        : `a key of the type ${describeKey(key)} can’t verify tokens`,
    )
  }
  checkKey(key, algorithm)
  const thumbprint = await calculateJwkThumbprint(key.export({ format: 'jwk' }) as JWK)
  return { algorithm, kid: readKid(kid) ?? thumbprint, public: key, thumbprint }
}

function readKid(kid: unknown): string | undefined {
  if (kid === undefined) return undefined
  if (typeof kid === 'string' && kid !== '' && kid.length <= MAX_KID_LENGTH && !hasLoneSurrogate(kid))
    return kid
  throw new KeyError(`the JWK has a kid that isn’t a text of 1 to ${MAX_KID_LENGTH} characters`)
}

function parseJson(text: string): JWK & { readonly keys?: unknown } {
  try {
    return Object(JSON.parse(text)) as JWK
  } catch {
    throw new KeyError('the JWK or JWK Set is not valid JSON')
  }
}

/** Quotes a short public member of a JWK. */
function show(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 64)) : `of type ${typeof value}`
}
