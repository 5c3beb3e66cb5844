/** Tokens made by hand, so that what a test changes is the only thing about them that is wrong. */
import { constants, createHmac, sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { generateKey, importKey } from '../../src/token/signing-key.js'
import type { Algorithm, SigningKey } from '../../src/token/signing-key.js'

export const ISSUER = 'https://issuer.example'
export const AUDIENCE = 'https://api.example'

/** A part of a token: text is taken as the JSON itself, the rest is written as JSON. */
export function encode(part: unknown): string {
  return Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url')
}

export function decode(part: string | undefined): Record<string, unknown> {
  return JSON.parse(Buffer.from(part ?? '', 'base64url').toString()) as Record<string, unknown>
}

/** RFC 7518 §3 and RFC 8037 §3.1 by node:crypto alone, without the library under test. */
export function signatureOf(input: string, algorithm: Algorithm, key: KeyObject): Buffer {
  const data = Buffer.from(input)
  const hash = `sha${algorithm.slice(2)}`
  switch (algorithm.slice(0, 2)) {
    case 'HS':
      return createHmac(hash, key).update(data).digest()
    case 'RS':
      return sign(hash, data, key)
    case 'PS': {
      const { RSA_PKCS1_PSS_PADDING: padding, RSA_PSS_SALTLEN_DIGEST: saltLength } = constants
      return sign(hash, data, { key, padding, saltLength })
    }
    case 'ES':
      return sign(hash, data, { key, dsaEncoding: 'ieee-p1363' })
    default:
      return sign(null, data, key)
  }
}

/** Signs two parts that are encoded already, however badly. */
export function seal(header: string, payload: string, { algorithm, private: key }: SigningKey): string {
  const input = `${header}.${payload}`
  return `${input}.${signatureOf(input, algorithm, key).toString('base64url')}`
}

/** The header that tokens of this key have. */
export function headerOf({ algorithm, kid }: SigningKey): Record<string, unknown> {
  return { alg: algorithm, typ: 'at+jwt', kid }
}

/** A token with a true signature of the key over whatever it says. */
export function forge(key: SigningKey, header: unknown, payload: unknown): string {
  return seal(encode(header), encode(payload), key)
}

export function newKey(algorithm: Algorithm): Promise<SigningKey> {
  return importKey(JSON.stringify(generateKey(algorithm)), algorithm)
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** The other base64url spellings of the same bytes: the last character's spare bits set. */
export function otherSpellings(text: string): string[] {
  const bytes = Buffer.from(text, 'base64url')
  return [...ALPHABET]
    .map((last) => text.slice(0, -1) + last)
    .filter((other) => other !== text && Buffer.from(other, 'base64url').equals(bytes))
}
