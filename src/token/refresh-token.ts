/**
 * The refresh token: `<sid>.<family>.<secret>`, opaque to clients; 128 + 128 + 256 random bits in base64url.
 *
 * - `sid` names the one record that holds the session.
 * - `family` is the same in every refresh token of the session. It tells an old token (theft) from an invented one:
 *   knowing a `sid` is not enough to end a session.
 * - `secret` is new with every rotation.
 *
 * The store has SHA-256 hashes of family and secret; a plain hash is enough, as both are random and long.
 */
import { createHash, createHmac, randomBytes } from 'node:crypto'
import type { Sid } from '../session/session.js'

export interface RefreshToken {
  readonly sid: Sid
  readonly family: string
  readonly secret: string
}

const SHAPE = /^([\w-]{22})\.([\w-]{22})\.([\w-]{43})$/

/** The parts of a refresh token, or undefined if it is none. */
export function parseRefreshToken(token: string): RefreshToken | undefined {
  const match = SHAPE.exec(token)
  if (!match) return undefined
  const [, sid, family, secret] = match as unknown as [string, string, string, string]
  return { sid: sid as Sid, family, secret }
}

export function formatRefreshToken({ sid, family, secret }: RefreshToken): string {
  return `${sid}.${family}.${secret}`
}

/** The first refresh token of a new session. */
export function newRefreshToken(): RefreshToken {
  return { sid: random(16) as Sid, family: random(16), secret: random(32) }
}

/** What goes into a rotation; stored with it, useless without the parent's secret. */
export function newSalt(): string {
  return random(16)
}

/**
 * The token that replaces `parent`. It is derived, not drawn, so that whoever presents the parent again within the
 * grace gets the same one, from any instance, with no key shared among them and nothing usable in the store.
 */
export function deriveSuccessor(parent: RefreshToken, salt: string): RefreshToken {
  const secret = createHmac('sha256', parent.secret).update(salt).digest('base64url')
  return { ...parent, secret }
}

export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url')
}

function random(bytes: number): string {
  return randomBytes(bytes).toString('base64url')
}
