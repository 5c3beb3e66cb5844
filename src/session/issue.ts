import { toSeconds } from '../clock.js'
import type { Milliseconds, UnixMs, UnixSeconds } from '../clock.js'
import { STORE_DEADLINE, withinDeadline } from '../deadline.js'
import type { TokenStamp } from '../revocation/denylist.js'
import { MAX_ID_LENGTH, MAX_TOKEN_LENGTH, newClaims } from '../token/access-token.js'
import { formatRefreshToken, hashSecret, newRefreshToken } from '../token/refresh-token.js'
import type { RefreshToken } from '../token/refresh-token.js'
import { keepWithinLimits } from './session-limits.js'
import type { SessionDependencies } from './dependencies.js'
import type { Identity, ClientInfo, Session } from './session.js'
import { computeExpiry } from './session.js'

/** The two tokens that a login or a refresh gives. Lives in seconds from now. */
export interface TokenSet {
  readonly accessToken: string
  readonly expiresIn: UnixSeconds
  readonly refreshToken: string
  readonly refreshExpiresIn: UnixSeconds
  readonly session: Session
}

/**
 * Begins a session for somebody whom the caller has authenticated. `deadline` is for storing it; before that, there
 * may be a wait of 3 s at most, where the subject was denied a moment ago (see Revocation.stamp).
 *
 * @throws {TypeError} if `sub` is not a string of 1 to 256 characters, or `claims` make the token too long: faults of
 *   the host, not of the request
 * @throws {PortcullisError} `signed_in_elsewhere` with `sessions.onLimit: refuse`; `store_unavailable`
 */
export async function issue(
  ports: SessionDependencies,
  identity: Identity,
  origin: ClientInfo = {},
  deadline: Milliseconds = STORE_DEADLINE,
): Promise<TokenSet> {
  const { sub } = identity
  // A host may put it among its claims, where the token will have it.
  const scope = identity.scope ?? identity.claims?.['scope']
  checkIdentity(identity, scope)
  const { store, denylist, clock, settings } = ports
  const stamp = await denylist.stamp(sub)
  const now = clock.now()
  const token = newRefreshToken()
  const endsAt = settings.absolute > 0 ? now + settings.absolute : 0
  const session: Session = {
    ...origin,
    sid: token.sid,
    sub,
    clientId: identity.clientId ?? 'portcullis',
    scope,
    claims: identity.claims ?? {},
    createdAt: now,
    lastSeenAt: now,
    endsAt,
    expiresAt: computeExpiry(now, settings.refresh, endsAt),
    refreshCount: 0,
    mark: stamp.mark,
  }
  // Before anything is stored: claims may turn out not to fit into a token.
  const tokens = tokenSet(ports, session, stamp, token, now)
  const secrets = { familyHash: hashSecret(token.family), secretHash: hashSecret(token.secret) }
  await withinDeadline(store.create(session, secrets), deadline)
  await keepWithinLimits(ports, session)
  ports.emit({ event: 'login', sub, sid: session.sid, ip: origin.ip })
  return tokens
}

/** A host without types may give anything; what no guard would accept later must not be issued. */
function checkIdentity({ sub, clientId }: Identity, scope: unknown): asserts scope is string | undefined {
  const isId = (value: unknown) =>
    typeof value === 'string' && value.length > 0 && value.length <= MAX_ID_LENGTH
  // Half a surrogate pair has no UTF-8, so in Redis two such subjects would be one.
  if (!isId(sub) || /\p{Cs}/u.test(sub)) {
    throw new TypeError(
      `sub must be a string of 1 to ${MAX_ID_LENGTH} characters, without half surrogate pairs`,
    )
  }
  if (clientId !== undefined && !isId(clientId)) {
    throw new TypeError(`clientId must be a string of 1 to ${MAX_ID_LENGTH} characters`)
  }
  if (scope !== undefined && typeof scope !== 'string') {
    throw new TypeError('scope must be a string, with spaces between several')
  }
}

/** Signs an access token for a session and puts it beside the refresh token that is current now. */
export function tokenSet(
  { sign, settings }: Pick<SessionDependencies, 'sign' | 'settings'>,
  session: Session,
  stamp: TokenStamp,
  token: RefreshToken,
  now: UnixMs,
): TokenSet {
  const claims = newClaims(session, stamp, settings)
  const accessToken = sign(claims)
  if (accessToken.length > MAX_TOKEN_LENGTH) {
    const { length } = accessToken
    throw new TypeError(
      `claims: the access token would have ${length} characters, more than ${MAX_TOKEN_LENGTH}`,
    )
  }
  return {
    accessToken,
    expiresIn: Math.max(0, claims.exp - claims.iat),
    refreshToken: formatRefreshToken(token),
    refreshExpiresIn: toSeconds(session.expiresAt - now),
    session,
  }
}
