/**
 * The refresh token: `<sid>.<family>.<secret>`. It is opaque to clients, and consists of 128 + 128 + 256 random bits in
 * base64url.
 *
 * - `sid` names the one record that holds the session.
 * - `family` is the same in every refresh token of the session. It distinguishes a used token (possible theft) from an
 *   invented one, so knowing a `sid` is not enough to end a session.
 * - `secret` is new with every rotation.
 *
 * The store has SHA-256 hashes of family and secret. A plain hash is enough, because both are random and long.
 */
import { createHash, createHmac, randomBytes } from 'node:crypto'
import type { Sid } from '../session/session.js'

export interface RefreshToken {
  readonly sid: Sid
  readonly family: string
  readonly secret: string
}

const SHAPE = /^([\w-]{22})\.([\w-]{22})\.([\w-]{43})$/

/** Returns the parts of a refresh token, or `undefined` if the text doesn't have its form. */
export function parseRefreshToken(token: string): RefreshToken | undefined {
  const match = SHAPE.exec(token)
  if (!match) return undefined
  const [, sid, family, secret] = match as unknown as [string, string, string, string]
  return { sid: sid as Sid, family, secret }
}

export function formatRefreshToken({ sid, family, secret }: RefreshToken): string {
  return `${sid}.${family}.${secret}`
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
  return { ...parent, secret }
}

/** Returns the SHA-256 hash in base64url. */
export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url')
}

function random(bytes: number): string {
  return randomBytes(bytes).toString('base64url')
}
