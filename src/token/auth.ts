/** The verified token, as gates and the host get it (`request.auth`). */
import type { UnixSeconds } from '../clock.js'
import type { RevocableToken } from '../revocation/denylist.js'
import type { AccessClaims } from './access-token.js'

/**
 * The subject of a request and its verified token, as in `request.auth`.
 *
 * The object is deeply frozen, because all requests with the same token share it. Pass it on as it is: functions that
 * take an `Auth`, such as `onTokenEnd`, throw a TypeError for a copy.
 *
 * @example
 * ```ts
 * app.get('/orders', { onRequest: authenticate }, async (request) => {
 *   const { sub, scope } = request.auth!
 *   return findOrders(sub, { all: scope.includes('admin') })
 * })
 * ```
 */
export interface Auth {
  /** The subject: the claim `sub`. */
  readonly sub: string
  /** The session id: the claim `sid`. */
  readonly sid: string
  /** The id of the access token: the claim `jti`. */
  readonly jti: string
  /** The scopes of the token. Default: an empty list. */
  readonly scope: readonly string[]
  /** The claim `iat`, in Unix seconds. */
  readonly issuedAt: UnixSeconds
  /** The claim `exp`, in Unix seconds. */
  readonly expiresAt: UnixSeconds
  /** All claims of the token, including those that the host passed at the login. */
  readonly claims: AccessClaims
}

/** The non-enumerable property of `Auth` with the id of the key that signed the token. */
const KID = Symbol('kid')

/** Returns the verified token for the host. */
export function toAuth(claims: AccessClaims, kid: string): Auth {
  const auth: Auth = {
    sub: claims.sub,
    sid: claims.sid,
    jti: claims.jti,
    scope: claims.scope === undefined || claims.scope === '' ? [] : claims.scope.split(' '),
    issuedAt: claims.iat,
    expiresAt: claims.exp,
    claims,
  }
  return Object.defineProperty(auth, KID, { value: kid })
}

/**
 * Returns what a denylist lookup needs.
 *
 * @throws {TypeError} if `auth` is a copy, because only the original knows which key signed the token
 */
export function toRevocableToken(auth: Auth): RevocableToken {
  const { jti, sid, sub, issuedAt } = auth
  const kid = (auth as { [KID]?: string })[KID]
  if (kid === undefined)
    throw new TypeError('auth: pass request.auth or the result of verifyToken itself, not a copy')
  return { jti, sid, sub, iat: issuedAt, kid }
}
