/** One-time codes, and their proof keys (PKCE, RFC 7636). */
import { createHash, randomBytes } from 'node:crypto'

/** 256 random bits in base64url. */
const CODE = /^[\w-]{43}$/
/** RFC 7636 §4.1 */
const VERIFIER = /^[\w.~-]{43,128}$/

/** Returns a new code: 256 random bits in base64url, 43 characters. */
export function newCode(): string {
  return randomBytes(32).toString('base64url')
}

/** Returns true if the text has the form of a code. */
export function isCode(text: string): boolean {
  return CODE.test(text)
}

/**
 * Returns the challenge of a code verifier by the method `S256` (RFC 7636 §4.2), or `undefined` if the verifier doesn't
 * have the form that §4.1 requires, so that it belongs to no code.
 */
export function deriveChallenge(verifier: string): string | undefined {
  if (!VERIFIER.test(verifier)) return undefined
  return createHash('sha256').update(verifier).digest('base64url')
}
