import { toSeconds } from '../clock.js'
import type { Milliseconds, UnixMs, UnixSeconds } from '../clock.js'
import { STORE_DEADLINE, withinDeadline } from '../deadline.js'
import { PortcullisError, storeUnavailable } from '../errors.js'
import type { TokenStamp } from '../revocation/denylist.js'
import { MAX_ID_LENGTH, MAX_TOKEN_LENGTH, newClaims } from '../token/access-token.js'
import type { AccessClaims } from '../token/access-token.js'
import { formatRefreshToken, hashSecret } from '../token/refresh-token.js'
import type { RefreshToken } from '../token/refresh-token.js'
import { rejectIfCovered } from './reject-if-covered.js'
import { keepWithinLimits } from './session-limits.js'
import type { SessionDependencies } from './dependencies.js'
import { schemes } from '../token/schemes.js'
import type { Identity, ClientInfo, Session, Sid } from './session.js'
import { computeExpiry } from './session.js'
import { requireSubject } from '../token/subject.js'

/** The tokens that a login or an exchange returns. Lifetimes are in seconds from now. */
export interface TokenSet {
  readonly accessToken: string
  readonly expiresIn: UnixSeconds
  /** `undefined` in the single scheme. */
  readonly refreshToken: string | undefined
  /** The time until the session ends, unless its tokens are exchanged before. */
  readonly sessionExpiresIn: UnixSeconds
  readonly session: Session
}

/** Properties of a new session that don't come from its subject. */
export interface IssueOptions {
  /** The lifetime of the session's access tokens. Default: `tokens.access`. */
  readonly access?: Milliseconds | undefined
  /** The longest time between two refreshes. Default: `tokens.refresh`. */
  readonly idle?: Milliseconds | undefined
  /** The session whose one-time code starts this one. */
  readonly startedBy?: Sid | undefined
  /** The time of the login whose session issued that code. */
  readonly loggedInAt?: UnixMs | undefined
  /** The time at which the session ends even if it is refreshed; 0 = never. Default: by `tokens.absolute`. */
  readonly endsAt?: UnixMs | undefined
  /** The fingerprint of the user's password hash (see credential.ts). */
  readonly credential?: string | undefined
  /** True if the cookies of the session end with the browser. */
  readonly endsWithBrowser?: boolean | undefined
  /** The first exchangeable token, whose `sid` is the id of the session. Default: a random one. */
  readonly token?: RefreshToken | undefined
  /**
   * Called when the session is stored, and before it ends others (`sessions.perSubject`). If it rejects, no token is
   * returned.
   */
  readonly confirm?: (() => Promise<void>) | undefined
  /** Maximum time for storing the session, without the wait for a recent revocation. Default: `STORE_DEADLINE`. */
  readonly deadline?: Milliseconds | undefined
}

/**
 * Starts a session for a subject that the caller has authenticated.
 *
 * If the subject was revoked in the last seconds, the call first waits for about 3 s (see `Denylist.stamp`).
 *
 * @throws {TypeError} if the identity isn't valid, or if its claims make the access token too long. These are errors of
 *   the host, not of the request.
 * @throws {PortcullisError} `signed_in_elsewhere` with `sessions.onLimit: refuse`; `overloaded`, `store_unavailable`
 */
export async function issue(
  dependencies: SessionDependencies,
  identity: Identity,
  client: ClientInfo = {},
  options: IssueOptions = {},
): Promise<TokenSet> {
  const sub = requireSubject(identity.sub)
  // A host may also pass the scope as a claim.
  const scope = identity.scope ?? identity.claims?.['scope']
  checkIdentity(identity, scope)
  rejectIfFull(dependencies)
  const { store, denylist, clock, settings } = dependencies
  const { access, idle, startedBy, loggedInAt, credential, endsWithBrowser } = options
  const token = options.token ?? schemes[settings.scheme].newToken()
  const stamp = await denylist.stamp(sub)
  const now = clock.now()
  const endsAt = options.endsAt ?? (settings.absolute > 0 ? now + settings.absolute : 0)
  const session: Session = {
    ...client,
    sid: token.sid,
    sub,
    clientId: identity.clientId ?? 'portcullis',
    scope,
    claims: identity.claims ?? {},
    createdAt: now,
    lastSeenAt: now,
    endsAt,
    expiresAt: computeExpiry(now, idle ?? settings.refresh, endsAt),
    refreshCount: 0,
    jtiPrefix: stamp.jtiPrefix,
    loginJtiPrefix: stamp.jtiPrefix,
    accessLife: access,
    idle,
    startedBy,
    loggedInAt,
    credential,
    endsWithBrowser: endsWithBrowser === true,
  }
  // Sign before anything is stored, because this throws if the claims don't fit into a token.
  const tokens = tokenSet(dependencies, session, stamp, token, now)
  const secrets = { familyHash: hashSecret(token.family), secretHash: hashSecret(token.secret) }
  await withinDeadline(store.create(session, secrets), options.deadline ?? STORE_DEADLINE)
  await options.confirm?.()
  // Together, because each may be a round trip. A session that is covered ends, and so do all others of the subject.
  await Promise.all([rejectIfCovered(dependencies, session, stamp), keepWithinLimits(dependencies, session)])
  dependencies.emit({ event: 'login', sub, sid: session.sid, ip: client.ip })
  return tokens
}

/**
 * Refuses a new session while the memory of the store is short. The rest of the memory is for logouts and revokes.
 *
 * @throws {PortcullisError} `overloaded`
 */
export function rejectIfFull({ isFull }: Pick<SessionDependencies, 'isFull'>): void {
  if (isFull()) throw new PortcullisError('overloaded', { reason: 'the memory of Redis is short' })
}

/**
 * Checks an identity at run time, for hosts in plain JavaScript. No token may be issued that the guards would refuse
 * later.
 *
 * @throws {TypeError}
 */
function checkIdentity({ clientId }: Identity, scope: unknown): asserts scope is string | undefined {
  const isId = (value: unknown) =>
    typeof value === 'string' && value.length > 0 && value.length <= MAX_ID_LENGTH
  if (clientId !== undefined && !isId(clientId)) {
    throw new TypeError(`clientId must be a string of 1 to ${MAX_ID_LENGTH} characters`)
  }
  if (scope !== undefined && typeof scope !== 'string') {
    throw new TypeError('scope must be a string, with spaces between the scopes')
  }
}

/**
 * Signs an access token for a session, and returns it together with the current refresh token.
 *
 * @param token The current exchangeable token of the session.
 * @throws {TypeError} if the access token would be longer than `MAX_TOKEN_LENGTH`
 */
export function tokenSet(
  dependencies: Pick<SessionDependencies, 'sign' | 'proof' | 'settings'>,
  session: Session,
  stamp: TokenStamp,
  token: RefreshToken,
  now: UnixMs,
): TokenSet {
  const { proof, settings } = dependencies
  const scheme = schemes[settings.scheme]
  const { accessToken, claims } = signAccessToken(dependencies, session, stamp, scheme.jti(token))
  return {
    accessToken,
    // A retry returns a token that was issued earlier.
    expiresIn: Math.max(0, claims.exp - Math.max(claims.iat, toSeconds(now))),
    refreshToken: scheme.name === 'dual' ? formatRefreshToken(token, proof) : undefined,
    sessionExpiresIn: toSeconds(session.expiresAt - now),
    session,
  }
}

/**
 * Throws if the claims don't fit into an access token. Call it before a rotation, which would otherwise use up the
 * client's token without a successor. The token that is signed here for the check is discarded.
 *
 * @throws {PortcullisError} `store_unavailable`
 */
export function rejectIfTooLarge(
  dependencies: SessionDependencies,
  session: Session,
  token: RefreshToken,
): void {
  const now = dependencies.clock.now()
  try {
    tokenSet(dependencies, session, { jtiPrefix: session.jtiPrefix, issuedAt: toSeconds(now) }, token, now)
  } catch (error) {
    throw storeUnavailable(error)
  }
}

/**
 * Signs an access token for a session.
 *
 * @param jti The part of the `jti` behind its prefix.
 * @throws {TypeError} if the token would be longer than `MAX_TOKEN_LENGTH`
 */
export function signAccessToken(
  { sign, settings }: Pick<SessionDependencies, 'sign' | 'settings'>,
  session: Session,
  stamp: TokenStamp,
  jti: string,
): { readonly accessToken: string; readonly claims: AccessClaims } {
  const claims = newClaims(session, stamp, jti, settings)
  const accessToken = sign(claims)
  if (accessToken.length > MAX_TOKEN_LENGTH) {
    const { length } = accessToken
    throw new TypeError(
      `claims are too large: the access token would have ${length} characters, and ${MAX_TOKEN_LENGTH} is the maximum`,
    )
  }
  return { accessToken, claims }
}
