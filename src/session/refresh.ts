/**
 * A refresh: exchanges a refresh token for its successor and an access token. This is rotation with reuse detection
 * (OAuth 2.0 Security BCP, RFC 9700 §4.14.2). In the single scheme, a renewal does the same with the access token.
 *
 * One atomic step of the store decides. A token that was used before is treated as stolen, with one exception: within
 * the grace, the token that was exchanged last yields the same successor again. A client needs that if it lost the
 * response, or if two of its tabs refresh at the same time. The access token is the same, too: equal `jti`, `iat` and
 * `exp`.
 */
import { toSeconds } from '../clock.js'
import type { TimeBudget } from '../deadline.js'
import { PortcullisError, storeUnavailable } from '../errors.js'
import type { RevocableToken, TokenStamp } from '../revocation/denylist.js'
import type { RotationOutcome, RotationRequest, SessionSecrets } from '../store/session-store.js'
import { hashSecret, newSalt, parseRefreshToken } from '../token/refresh-token.js'
import type { PresentedRefreshToken, RefreshToken } from '../token/refresh-token.js'
import { rejectIfTooLarge, tokenSet } from './issue.js'
import type { TokenSet } from './issue.js'
import { endSessions } from './end-sessions.js'
import { endWithStarted } from './started-by.js'
import { findCoveringEntry } from './covering-entry.js'
import type { SessionDependencies } from './dependencies.js'
import { applyCheck } from './refresh-check.js'
import { schemes, singleTokenOf } from '../token/schemes.js'
import { loginTime } from './session.js'
import type { Session, Sid } from './session.js'

export interface ExchangeOptions {
  /** The Fastify request, for the check of the user. */
  readonly request?: unknown
  /** The time for the work of the store, without the check of the user. Default: no limit. */
  readonly budget?: TimeBudget | undefined
}

function withinLimit<T>({ budget }: ExchangeOptions, work: Promise<T>): Promise<T> {
  return budget === undefined ? work : budget.run(work)
}

/**
 * Refreshes a session and returns its next tokens.
 *
 * @throws {PortcullisError} `refresh_token_invalid`, and those of `exchange`
 */
export async function refresh(
  dependencies: SessionDependencies,
  refreshToken: string | PresentedRefreshToken,
  options: ExchangeOptions = {},
): Promise<TokenSet> {
  const { proof, settings, bounds } = dependencies
  const token = typeof refreshToken === 'string' ? parseRefreshToken(refreshToken, proof) : refreshToken
  if (!token || settings.scheme !== 'dual')
    throw new PortcullisError('refresh_token_invalid', { reason: 'shape' })
  if (!token.isProven) bounds.unproven.take()
  return exchange(dependencies, token, options)
}

/**
 * Renews a session of the single scheme: exchanges its newest access token, expired or not, for the next one.
 *
 * @param accessToken The claims of a token whose signature was verified.
 * @throws {PortcullisError} `token_revoked`, and those of `exchange`, but `reauthentication_required` instead of
 *   `refresh_token_expired`
 */
export async function renew(
  dependencies: SessionDependencies,
  accessToken: RevocableToken,
  options: ExchangeOptions = {},
): Promise<TokenSet> {
  const { denylist, store, clock } = dependencies
  const checks = Promise.all([
    denylist.check(accessToken),
    store.isRecordedAsRevoked(accessToken.jti, clock.now()),
  ])
  const [reason, isRevoked] = await withinLimit(options, checks)
  // Only entries for the token and its key matter here, because `exchange` checks the session.
  if (isRevoked || reason === 'jti' || reason === 'kid')
    throw new PortcullisError('token_revoked', { reason: reason ?? 'jti' })
  return exchange(dependencies, singleTokenOf(accessToken), options).catch((error: unknown) => {
    const isExpired = error instanceof PortcullisError && error.code === 'refresh_token_expired'
    throw isExpired ? new PortcullisError('reauthentication_required') : error
  })
}

/**
 * Exchanges a token of a session for its successor and an access token. The user is read first, if that is configured
 * (see RefreshCheck). The user isn't read for a token that won't rotate, because a retry gets what the rotation stored.
 *
 * @throws {PortcullisError} `refresh_token_expired`, `refresh_token_reused`, `refresh_limit_reached`, `session_ended`,
 *   `signed_in_elsewhere`, `reauthentication_required`; `overloaded`, `store_unavailable`.
 *   After `store_unavailable` the client may present the same token again within the grace.
 */
async function exchange(
  dependencies: SessionDependencies,
  token: RefreshToken,
  options: ExchangeOptions,
): Promise<TokenSet> {
  const hashes = { familyHash: hashSecret(token.family), secretHash: hashSecret(token.secret) }
  const { refreshChecks, store, clock, settings } = dependencies
  const session = refreshChecks && (await withinLimit(options, store.readCurrent(token.sid, hashes)))
  const willRotate =
    session !== undefined &&
    clock.now() < session.expiresAt &&
    (settings.refreshLimit === 0 || session.refreshCount < settings.refreshLimit)
  if (refreshChecks === undefined || !willRotate)
    return withinLimit(options, rotate(dependencies, token, hashes, undefined))
  return refreshChecks.run(session, hashes.secretHash, options.request, async (read) => {
    const identity = await applyCheck(dependencies, session, read)
    rejectIfTooLarge(dependencies, { ...session, ...identity }, token)
    return withinLimit(options, rotate(dependencies, token, hashes, identity))
  })
}

async function rotate(
  dependencies: SessionDependencies,
  token: RefreshToken,
  { familyHash, secretHash }: SessionSecrets,
  identity: RotationRequest['identity'],
): Promise<TokenSet> {
  const { store, denylist, clock, settings, emit } = dependencies
  const { successor } = schemes[settings.scheme]
  // Take the stamp before the session is read. An entry that revokes the session after the read then also covers the
  // new access token, because the token's `iat` is not later than the entry.
  const stamp = await denylist.stamp()
  const now = clock.now()
  const salt = newSalt()
  const next = successor(token, salt)
  const outcome = await store.rotate({
    sid: token.sid,
    familyHash,
    secretHash,
    salt,
    successorHash: hashSecret(next.secret),
    now,
    jtiPrefix: stamp.jtiPrefix,
    issuedAt: stamp.issuedAt,
    identity,
    idle: settings.refresh,
    refreshLimit: settings.refreshLimit,
    reuseGrace: settings.reuseGrace,
    tombstone: settings.tombstone,
  })
  if (outcome.kind !== 'rotated' && outcome.kind !== 'retried') {
    await revokeEndedSession(dependencies, token.sid, outcome)
    throw toError(outcome)
  }
  const { session } = outcome
  await rejectIfRevoked(dependencies, stamp, outcome)
  const isRetry = outcome.kind === 'retried'
  emit({ event: isRetry ? 'refresh_retried' : 'refresh', sub: session.sub, sid: token.sid })
  const current = isRetry ? successor(token, outcome.salt) : next
  return tokenSet(dependencies, session, stampOfRotation(stamp, session), current, now)
}

/**
 * Returns the stamp of the access token that a rotation issues. A retry returns the stamp of its rotation, unless the
 * epoch has changed since: a token with an old jti prefix may be refused.
 *
 * The `iat` isn't before the login. An instance with a clock ahead of this one may have handled the login, and that
 * login got an `iat` later than any `sub` or `all` entry. An earlier `iat` could be covered by such an entry.
 */
function stampOfRotation({ issuedAt, jtiPrefix }: TokenStamp, session: Session): TokenStamp {
  const isSameEpoch = session.jtiPrefix === jtiPrefix
  const rotatedAt = (isSameEpoch ? session.rotatedIssuedAt : undefined) ?? issuedAt
  return { jtiPrefix, issuedAt: Math.max(rotatedAt, toSeconds(session.createdAt)) }
}

type LivingOutcome = Extract<RotationOutcome, { kind: 'rotated' | 'retried' }>

/**
 * Ends a session and throws in two cases: a denylist entry covers its `sid`, or its subject or all subjects at the time
 * of its login, or it began by the cutoff of a revoke of everybody; or its record is older than the known
 * history (only with `onLostHistory: reject`). In the second case the session may have ended already, because a restored
 * snapshot brings ended sessions back.
 *
 * Retries within the grace are checked, too. The session may have been revoked since the rotation, or an earlier
 * attempt to end it may have failed.
 *
 * @throws {PortcullisError} `session_ended`, `signed_in_elsewhere`, `reauthentication_required`, `store_unavailable`
 */
export async function rejectIfRevoked(
  dependencies: SessionDependencies,
  { jtiPrefix }: TokenStamp,
  { session, former, cutoff }: Pick<LivingOutcome, 'session' | 'former' | 'cutoff'>,
): Promise<void> {
  const { sid } = session
  const { denylist } = dependencies
  const isBeforeCutoff = cutoff !== undefined && toSeconds(loginTime(session)) * 1000 <= cutoff
  const reason = isBeforeCutoff ? 'all' : await findCoveringEntry(denylist, session, jtiPrefix)
  if (reason === 'history') throw storeUnavailable('the epoch of the denylist changed during the refresh')
  if (reason === undefined && denylist.trusts(former.jtiPrefix, former.at)) return
  const isEvicted = reason === 'evicted'
  await endSessions(dependencies, [{ sid }], isEvicted ? 'evicted' : 'revoked')
  if (isEvicted) throw new PortcullisError('signed_in_elsewhere')
  throw new PortcullisError(reason === undefined ? 'reauthentication_required' : 'session_ended')
}

type FailedOutcome = Exclude<RotationOutcome, { kind: 'rotated' | 'retried' }>

/**
 * Revokes the access tokens of a session that the store has ended because of reuse. Every later use of a token of the
 * session repeats this, in case it has failed before. The same holds for a session that a refresh has ended (`revoked`).
 */
async function revokeEndedSession(
  dependencies: SessionDependencies,
  sid: Sid,
  outcome: FailedOutcome,
): Promise<void> {
  if (outcome.kind !== 'reused' && outcome.kind !== 'ended') return
  // After a logout or an eviction, the caller of the logout or of the login repeats that call instead.
  const { reason } = outcome.kind === 'ended' ? outcome : { reason: 'reuse' as const }
  if (reason !== 'reuse' && reason !== 'revoked') return
  if (outcome.kind === 'reused') dependencies.emit({ event: 'refresh_token_reused', sub: outcome.sub, sid })
  await endWithStarted(dependencies, [{ sid }], reason)
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
