/** A logout: ends the sessions of the presented tokens, or all sessions of a subject, or all except one. */
import { PortcullisError } from '../errors.js'
import type { NewEntry } from '../revocation/entry.js'
import { hashSecret } from '../token/refresh-token.js'
import type { PresentedRefreshToken } from '../token/refresh-token.js'
import { endInPages, isRevoked } from './end-sessions.js'
import type { SessionToEnd } from './end-sessions.js'
import { endOrphansSince, endWithStarted } from './started-by.js'
import type { SessionDependencies } from './dependencies.js'
import type { Sid } from './session.js'

/** The presented tokens of a logout request. */
export interface PresentedTokens {
  /** The session id in an access token whose signature was verified. The token may have expired. */
  readonly access?: Sid | undefined
  readonly refresh?: PresentedRefreshToken | undefined
}

/**
 * Ends the sessions of the presented tokens, and those that their codes began. When it resolves, no instance admits a
 * token of these sessions. A call may be repeated.
 *
 * @throws {PortcullisError} `refresh_token_invalid` if none of the tokens belongs to a session; `overloaded`,
 *   `store_unavailable`
 */
export async function logout(
  dependencies: SessionDependencies,
  { access, refresh }: PresentedTokens,
): Promise<void> {
  const sessions: SessionToEnd[] = []
  if (access !== undefined) sessions.push({ sid: access, isProven: true })
  if (refresh && refresh.sid !== access) {
    const { sid, family, isProven } = refresh
    if (!isProven) dependencies.bounds.unproven.take()
    sessions.push({ sid, familyHash: hashSecret(family), isProven })
  }
  const outcomes = await endWithStarted(dependencies, sessions, 'logout')
  // Nothing was revoked, because the token has another family, or because it may be invented.
  if (!outcomes.some((outcome, i) => isRevoked(sessions[i]!, outcome))) {
    throw new PortcullisError('refresh_token_invalid', { reason: outcomes.map(({ kind }) => kind).join() })
  }
}

/** Options of `logoutAll`. */
export interface LogoutAllOptions {
  /** The session of the caller. It is ended and revoked even if the index has lost it. Default: none. */
  readonly own?: Sid | undefined
  /** A session to keep. Default: none. */
  readonly except?: Sid | undefined
}

/**
 * Ends all sessions that the subject has now, or all except one. When it resolves, no instance admits a token that the
 * subject had before, except for the tokens of `except`.
 *
 * Every session is revoked by its `sid`, so a login in the same second isn't affected. Sessions that had ended before
 * are revoked again, because their first revocation may have failed.
 *
 * After an error, the caller can repeat the call. It continues with the remaining sessions, because each page leaves
 * the index when it is done. The caller's own session comes last, so that its token is still valid for the repetition.
 *
 * @throws {PortcullisError} `store_unavailable`
 */
export async function logoutAll(
  dependencies: SessionDependencies,
  sub: string,
  { own, except }: LogoutAllOptions = {},
): Promise<void> {
  const indexed = await dependencies.store.sids(sub)
  const sessions: SessionToEnd[] = indexed
    .filter((sid) => sid !== except && sid !== own)
    .map((sid) => ({ sid, indexedFor: sub }))
  if (own !== undefined) sessions.push({ sid: own, ...(indexed.includes(own) && { indexedFor: sub }) })
  await endInPages(dependencies, sessions, 'logout', {
    last: [lostSessions(sub)],
    endOthers: () => endOrphansSince(dependencies, sub, indexed),
  })
}

/**
 * Returns the denylist entry for the tokens of sessions that the store has lost together with their index. It covers
 * tokens from before the current epoch, so it is written last: data may be lost while this logout runs.
 */
function lostSessions(sub: string): NewEntry {
  return { kind: 'lost', id: sub, reason: 'logout' }
}
