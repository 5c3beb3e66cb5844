/**
 * The refresh token: `<sid>.<family>.<secret>.<proof>`. It is opaque to clients. Its first parts are 128 + 128 + 256
 * random bits in base64url.
 *
 * - `sid` names the one record that holds the session.
 * - `family` is the same in every refresh token of the session. It distinguishes a used token (possible theft) from an
 *   invented one, so knowing a `sid` is not enough to end a session.
 * - `secret` is new with every rotation.
 * - `proof` shows that this deployment has issued the token (see refresh-token-proof.ts). Older tokens have
 *   none. They are good until they are rotated, but nothing is written for a session that only such a token names.
 *
 * The store has SHA-256 hashes of family and secret. A plain hash is enough, because both are random and long.
 */
import { createHash, createHmac, randomBytes } from 'node:crypto'
import type { Sid } from '../session/session.js'
import type { RefreshTokenProof } from './refresh-token-proof.js'

export interface RefreshToken {
  readonly sid: Sid
  readonly family: string
  readonly secret: string
}

/** A refresh token as a client presents it. */
export interface PresentedRefreshToken extends RefreshToken {
  /**
   * True if the token has a good proof. Otherwise it may be invented. It may also be from before there were proofs, or
   * its proof was created with a signing key that has been replaced.
   */
  readonly isProven: boolean
}

const SHAPE = /^([\w-]{22})\.([\w-]{22})\.([\w-]{43})(?:\.([\w-]{22}))?$/

/**
 * Returns the parts of a refresh token, or `undefined` if the text doesn't have its form.
 *
 * The family of a session of the single scheme is its `sid`, which is no secret. No refresh token has such a family, and
 * with one, everybody who knows the `sid` could end the session.
 */
export function parseRefreshToken(text: string, proof: RefreshTokenProof): PresentedRefreshToken | undefined {
  const match = SHAPE.exec(text)
  if (!match) return undefined
  const [, sid, family, secret, given] = match as unknown as [string, string, string, string, string?]
  if (family === sid) return undefined
  const token = { sid: sid as Sid, family, secret }
  return { ...token, isProven: given !== undefined && proof.check(token, given) }
}

export function formatRefreshToken(token: RefreshToken, proof: RefreshTokenProof): string {
  return `${token.sid}.${token.family}.${token.secret}.${proof.create(token)}`
}

/** Returns the first refresh token of a new session. Its `sid` is the id of that session. */
export function newRefreshToken(): RefreshToken {
  return { sid: random(16) as Sid, family: random(16), secret: random(32) }
}

/** Returns a random salt for one rotation. The store keeps it, and it is useless without the parent's secret. */
export function newSalt(): string {
  return random(16)
}

/**
 * Returns the token that replaces `parent`. It is derived instead of random: a client that presents the parent again
 * within the grace gets the same successor from every instance. The instances need no shared key for that, and the
 * store contains nothing that could be used as a token.
 */
export function deriveSuccessor(parent: RefreshToken, salt: string): RefreshToken {
  const secret = createHmac('sha256', parent.secret).update(salt).digest('base64url')
  return { sid: parent.sid, family: parent.family, secret }
}

/** Returns the SHA-256 hash in base64url. */
export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url')
}

function random(bytes: number): string {
  return randomBytes(bytes).toString('base64url')
}
