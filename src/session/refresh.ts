/**
 * A refresh: one refresh token in, the next one and an access token out.
 *
 * One atomic step of the store decides. A token that was used before is theft, unless it is the immediate predecessor
 * and the grace since the rotation isn't over: then the caller lost the answer, or has two tabs, and gets the same
 * successor again. (OAuth 2.0 Security BCP, RFC 9700 §4.14.2: rotation with reuse detection.)
 */
import { PortcullisError, storeUnavailable } from '../errors.js'
import type { TokenStamp } from '../revocation/denylist.js'
import type { PreviousWrite, RotationOutcome } from '../store/session-store.js'
import { hashSecret, newSalt, parseRefreshToken, deriveSuccessor } from '../token/refresh-token.js'
import { tokenSet } from './issue.js'
import type { TokenSet } from './issue.js'
import { endSessions } from './end-sessions.js'
import type { SessionDependencies } from './dependencies.js'
import type { Session, Sid } from './session.js'

/**
 * @throws {PortcullisError} `refresh_token_invalid`, `refresh_token_expired`, `refresh_token_reused`, `refresh_limit_reached`,
 *   `session_ended`, `signed_in_elsewhere`; `store_unavailable`: the same token may be tried again within the grace
 */
export async function refresh(ports: SessionDependencies, refreshToken: string): Promise<TokenSet> {
  const { store, denylist, clock, settings } = ports
  const token = parseRefreshToken(refreshToken)
  if (!token) throw new PortcullisError('refresh_token_invalid', { reason: 'shape' })
  // Before the session is read: what is minted from it then can't be newer than a denial that ends it.
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
    mark: stamp.mark,
    idle: settings.refresh,
    refreshLimit: settings.refreshLimit,
    reuseGrace: settings.reuseGrace,
    tombstone: settings.tombstone,
  })
  switch (outcome.kind) {
    case 'rotated':
      await rejectIfOver(ports, stamp, outcome.session, outcome.former)
      ports.emit({
        event: 'refresh',
        sub: outcome.session.sub,
        sid: token.sid,
      })
      return tokenSet(ports, outcome.session, stamp, successor, now)
    case 'retried':
      await rejectIfOver(ports, stamp, outcome.session, outcome.former)
      return tokenSet(ports, outcome.session, stamp, deriveSuccessor(token, outcome.salt), now)
    default:
      await endReusedSession(ports, token.sid, outcome)
      throw toError(outcome)
  }
}

/**
 * Ends a session that a `sub` or `all` denial covers, by the time of its beginning, and one whose record comes from a
 * history that isn't known any more (a snapshot brings ended sessions back). Retries, too: a denial may have come
 * since the rotation, or the end of the session may have failed then.
 */
async function rejectIfOver(
  ports: SessionDependencies,
  { mark }: TokenStamp,
  { sid, sub, createdAt }: Session,
  former: PreviousWrite,
): Promise<void> {
  const { denylist } = ports
  // With a mark of now: whether the record's history is known is asked apart, and must not hide what denies it.
  const begun = { jti: mark, sid, sub, kid: '', iat: Math.floor(createdAt / 1000) }
  const denial = await denylist.check(begun)
  if (denial === 'history') throw storeUnavailable('the denylist began a new life meanwhile')
  if (denial === undefined && denylist.trusts(former.mark, former.at)) return
  await endSessions(ports, [{ sid }], 'revoked')
  throw new PortcullisError(denial === undefined ? 'reauthentication_required' : 'session_ended')
}

type FailedOutcome = Exclude<RotationOutcome, { kind: 'rotated' | 'retried' }>

/** The store has ended the session; its access tokens end here. Again on a later use, should it have failed. */
async function endReusedSession(
  { store, denylist, emit }: SessionDependencies,
  sid: Sid,
  outcome: FailedOutcome,
): Promise<void> {
  if (outcome.kind !== 'reused' && !(outcome.kind === 'ended' && outcome.reason === 'reuse')) return
  if (outcome.kind === 'reused') emit({ event: 'refresh_token_reused', sub: outcome.sub, sid })
  await denylist.revoke([{ kind: 'sid', id: sid, reason: 'reuse' }])
  store.unindex(outcome.sub, [sid]).catch(() => {})
}

function toError(outcome: FailedOutcome): PortcullisError {
  switch (outcome.kind) {
    case 'reused':
      return new PortcullisError('refresh_token_reused', {
        detail: 'It was used before, so somebody else may have it: the session was ended. Log in again.',
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
      return new PortcullisError('refresh_token_invalid', { reason: 'family' })
    default:
      return outcome satisfies never
  }
}
