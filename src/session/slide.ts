/**
 * Sliding renewal (`tokens.renewUnder`): issues a new access token for the session of an admitted one.
 *
 * Nothing is written. `tokens.refresh` still counts from the last refresh or renewal, and `tokens.refreshLimit` doesn't
 * count this.
 */
import { randomBytes } from 'node:crypto'
import { toSeconds } from '../clock.js'
import type { UnixSeconds } from '../clock.js'
import { storeUnavailable } from '../errors.js'
import type { RevocableToken } from '../revocation/denylist.js'
import { hashSecret } from '../token/refresh-token.js'
import { singleTokenOf } from '../token/schemes.js'
import { findCoveringEntry } from './covering-entry.js'
import type { SessionDependencies } from './dependencies.js'
import { signAccessToken } from './issue.js'
import { identityAfter } from './refresh-check.js'
import type { Session, Sid } from './session.js'
import { endWithStarted } from './started-by.js'

/** An admitted token, with its end in Unix seconds. */
export interface TokenToSlide extends RevocableToken {
  readonly exp: UnixSeconds
}

/** An access token that was issued without an exchange. */
export interface SlidToken {
  readonly accessToken: string
  readonly expiresAt: UnixSeconds
  readonly session: Session
}

/**
 * Returns a new access token for the session of an admitted token. Returns `undefined` if the session has ended or was
 * revoked, or if it ends so soon that a new token would expire no later than the old one.
 *
 * In the single scheme, only the newest token of the session gets one. The new token and the presented one
 * can both be exchanged. The exchange of an earlier token would count as theft.
 *
 * @throws {PortcullisError} `store_unavailable`
 * @throws {TypeError} if the claims make the new token too long
 */
export async function slide(
  dependencies: SessionDependencies,
  token: TokenToSlide,
): Promise<SlidToken | undefined> {
  const { denylist, clock, emit } = dependencies
  // Take the stamp before the session is read. An entry that revokes the session after the read then also covers the
  // new access token, because the token's `iat` is not later than the entry.
  const stamp = await denylist.stamp()
  const stored = await readSession(dependencies, token)
  if (stored === undefined || clock.now() >= stored.expiresAt) return undefined
  const reason = await findCoveringEntry(denylist, stored, stamp.jtiPrefix)
  if (reason === 'history') throw storeUnavailable('the epoch of the denylist changed during the renewal')
  if (reason !== undefined || !denylist.trusts(stored.jtiPrefix, stored.lastSeenAt)) return undefined
  const session = await readUser(dependencies, stored)
  if (session === undefined) return undefined
  // The `iat` isn't before the login: see `stampOfRotation`.
  const issuedAt = Math.max(stamp.issuedAt, toSeconds(session.createdAt))
  const jti = newJti(dependencies, token)
  const { accessToken, claims } = signAccessToken(dependencies, session, { ...stamp, issuedAt }, jti)
  if (claims.exp <= token.exp) return undefined
  emit({ event: 'token_renewed', sub: session.sub, sid: session.sid })
  return { accessToken, expiresAt: claims.exp, session }
}

function readSession(
  { store, settings }: SessionDependencies,
  token: RevocableToken,
): Promise<Session | undefined> {
  if (settings.scheme === 'dual') return store.read(token.sid as Sid)
  const { sid, family, secret } = singleTokenOf(token)
  return store.readCurrent(sid, { familyHash: hashSecret(family), secretHash: hashSecret(secret) })
}

/**
 * Reads the user again, if that is configured. The result is for this token only, because nothing is stored. Ends the
 * session and returns `undefined` if the user is gone.
 */
async function readUser(dependencies: SessionDependencies, session: Session): Promise<Session | undefined> {
  const { refreshChecks } = dependencies
  if (refreshChecks === undefined) return session
  const { sid } = session
  return refreshChecks.run(session, `slide:${sid}`, undefined, async (read) => {
    if (read !== null) return { ...session, ...identityAfter(session, read) }
    await endWithStarted(dependencies, [{ sid }], 'revoked')
    return undefined
  })
}

/** Returns a new `jti` without its prefix. In the single scheme it begins with the secret of the presented token. */
function newJti({ settings }: SessionDependencies, token: RevocableToken): string {
  if (settings.scheme === 'dual') return randomBytes(16).toString('base64url')
  return singleTokenOf(token).secret + randomBytes(8).toString('base64url')
}
