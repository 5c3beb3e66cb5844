/**
 * A refresh: exchanges a refresh token for its successor and an access token. This is rotation with reuse detection
 * (OAuth 2.0 Security BCP, RFC 9700 §4.14.2).
 *
 * One atomic step of the store decides. A token that was used before is treated as stolen, with one exception: within
 * the grace, the token that was exchanged last yields the same successor again. A client needs that if it lost the
 * response, or if two of its tabs refresh at the same time.
 */
import { toSeconds } from '../clock.js'
import { PortcullisError, storeUnavailable } from '../errors.js'
import type { Denylist, TokenStamp } from '../revocation/denylist.js'
import type { PreviousWrite, RotationOutcome } from '../store/session-store.js'
import { hashSecret, newSalt, parseRefreshToken, deriveSuccessor } from '../token/refresh-token.js'
import type { PresentedRefreshToken } from '../token/refresh-token.js'
import { tokenSet } from './issue.js'
import type { TokenSet } from './issue.js'
import { endSessions } from './end-sessions.js'
import type { SessionDependencies } from './dependencies.js'
import type { Session, Sid } from './session.js'

/**
 * Refreshes a session and returns its next tokens.
 *
 * @throws {PortcullisError} `refresh_token_invalid`, `refresh_token_expired`, `refresh_token_reused`,
 *   `refresh_limit_reached`, `session_ended`, `signed_in_elsewhere`, `reauthentication_required`; `overloaded`,
 *   `store_unavailable`.
 *   After `store_unavailable` the client may present the same token again within the grace.
 */
export async function refresh(
  dependencies: SessionDependencies,
  refreshToken: string | PresentedRefreshToken,
): Promise<TokenSet> {
  const { store, denylist, proof, clock, settings } = dependencies
  const token = typeof refreshToken === 'string' ? parseRefreshToken(refreshToken, proof) : refreshToken
  if (!token) throw new PortcullisError('refresh_token_invalid', { reason: 'shape' })
  if (!token.isProven) dependencies.bounds.unproven.take()
  // Take the stamp before the session is read. An entry that revokes the session after the read then also covers the
  // new access token, because the token's `iat` is not later than the entry.
  const stamp = await denylist.stamp()
  const now = clock.now()
  const salt = newSalt()
  const successor = deriveSuccessor(token, salt)
  const outcome = await store.rotate({
    sid: token.sid,
    familyHash: hashSecret(token.family),
    secretHash: hashSecret(token.secret),
    salt,
    successorHash: hashSecret(successor.secret),
    now,
    jtiPrefix: stamp.jtiPrefix,
    idle: settings.refresh,
    refreshLimit: settings.refreshLimit,
    reuseGrace: settings.reuseGrace,
    tombstone: settings.tombstone,
  })
  switch (outcome.kind) {
    case 'rotated':
      await rejectIfRevoked(dependencies, stamp, outcome.session, outcome.former)
      dependencies.emit({
        event: 'refresh',
        sub: outcome.session.sub,
        sid: token.sid,
      })
      return tokenSet(
        dependencies,
        outcome.session,
        await stampAfterLogin(denylist, stamp, outcome.session),
        successor,
        now,
      )
    case 'retried':
      await rejectIfRevoked(dependencies, stamp, outcome.session, outcome.former)
      return tokenSet(
        dependencies,
        outcome.session,
        await stampAfterLogin(denylist, stamp, outcome.session),
        deriveSuccessor(token, outcome.salt),
        now,
      )
    default:
      await endReusedSession(dependencies, token.sid, outcome)
      throw toError(outcome)
  }
}

/**
 * Returns the stamp, or a later one if its `iat` is before the login, because an instance with a clock ahead of this
 * one handled the login. That login got an `iat` later than any `sub` or `all` entry. An earlier one could be covered.
 */
async function stampAfterLogin(
  denylist: Denylist,
  stamp: TokenStamp,
  { sub, createdAt }: Session,
): Promise<TokenStamp> {
  return stamp.issuedAt < toSeconds(createdAt) ? denylist.stamp(sub) : stamp
}

/**
 * Ends a session and throws in two cases: a denylist entry covers its `sid`, or its subject or all subjects at the time
 * of its login; or its record is older than the known history (only with `onLostHistory: reject`). In the second case
 * the session may have ended already, because a restored snapshot brings ended sessions back.
 *
 * Retries within the grace are checked, too. The session may have been revoked since the rotation, or an earlier
 * attempt to end it may have failed.
 *
 * @throws {PortcullisError} `session_ended`, `reauthentication_required`, `store_unavailable`
 */
async function rejectIfRevoked(
  dependencies: SessionDependencies,
  { jtiPrefix }: TokenStamp,
  { sid, sub, createdAt, loginJtiPrefix }: Session,
  former: PreviousWrite,
): Promise<void> {
  const { denylist } = dependencies
  const check = (jti: string) => denylist.check({ jti, sid, sub, kid: '', iat: Math.floor(createdAt / 1000) })
  // The `jti` has the current prefix. An old one could yield `history`, which would hide an entry that covers the
  // session. The prefix of the record is checked by `trusts` below.
  let reason = await check(jtiPrefix)
  // A `lost` entry exempts the logins of its own epoch. In a later epoch, only the prefix of the login shows them.
  if (reason === 'lost' && loginJtiPrefix !== undefined) {
    const byLogin = await check(loginJtiPrefix)
    if (byLogin !== 'history') reason = byLogin
  }
  if (reason === 'history') throw storeUnavailable('the epoch of the denylist changed during the refresh')
  if (reason === undefined && denylist.trusts(former.jtiPrefix, former.at)) return
  await endSessions(dependencies, [{ sid }], 'revoked')
  throw new PortcullisError(reason === undefined ? 'reauthentication_required' : 'session_ended')
}

type FailedOutcome = Exclude<RotationOutcome, { kind: 'rotated' | 'retried' }>

/**
 * Revokes the access tokens of a session that the store has ended because of reuse. Every later use of the token
 * repeats this, in case it has failed before.
 */
async function endReusedSession(
  { store, denylist, emit }: SessionDependencies,
  sid: Sid,
  outcome: FailedOutcome,
): Promise<void> {
  if (outcome.kind !== 'reused' && !(outcome.kind === 'ended' && outcome.reason === 'reuse')) return
  if (outcome.kind === 'reused') emit({ event: 'refresh_token_reused', sub: outcome.sub, sid })
  const endedAt = outcome.kind === 'ended' ? outcome.endedAt : undefined
  await denylist.revoke([{ kind: 'sid', id: sid, reason: 'reuse', endedAt }])
  store.unindex(outcome.sub, [sid]).catch(() => {})
}

function toError(outcome: FailedOutcome): PortcullisError {
  switch (outcome.kind) {
    case 'reused':
      return new PortcullisError('refresh_token_reused', {
        detail: 'The token may have been stolen, so the session was ended. Log in again.',
      })
    case 'ended':
      return new PortcullisError(outcome.reason === 'evicted' ? 'signed_in_elsewhere' : 'session_ended')
    case 'unknown':
      return new PortcullisError('session_ended', { reason: 'no record' })
    case 'expired':
      return new PortcullisError('refresh_token_expired')
    case 'limit_reached':
      return new PortcullisError('refresh_limit_reached')
    case 'forged':
      return new PortcullisError('refresh_token_invalid', { reason: 'wrong family' })
    default:
      return outcome satisfies never
  }
}
