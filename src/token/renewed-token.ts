/** The new access token in the response to a request whose own token expires soon (`tokens.renewUnder`). */
import type { UnixSeconds } from '../clock.js'
import type { Transport } from './presented-token.js'
import type { Auth } from './auth.js'

/** The response headers of a renewal, in lower case. Only this process may set them, never an upstream. */
export const RENEWED_HEADERS = ['x-renewed-access-token', 'x-renewed-expires-in'] as const

/** A new access token for a client. */
export interface RenewedToken {
  readonly accessToken: string
  readonly expiresIn: UnixSeconds
  /** The `Set-Cookie` value with the new token. Set if the old token came in the cookie. */
  readonly cookie: string | undefined
  /** Returns false if the old token is known to be revoked by now, for example by a logout since the admission. */
  mayBeSent(): boolean
}

/** Renews access tokens that expire soon. */
export interface TokenRenewal {
  /** Returns true if the token has less time left than `tokens.renewUnder`. Runs on every request, so it must be cheap. */
  isDue(auth: Auth): boolean
  /** Returns a new token of the same session, or `undefined` if there is none. Never rejects. */
  renew(auth: Auth, transport: Transport): Promise<RenewedToken | undefined>
}

/**
 * Response headers that tell some caches to store a response, whatever `Cache-Control` says: those for one kind of cache
 * (RFC 9213), of Surrogate-Control caches, and of nginx.
 */
const OVERRIDES_CACHE_CONTROL = /.-cache-control$|^(?:surrogate|edge)-control$|^x-accel-expires$/

/**
 * Returns the headers that bring a new token to the client. Returns `undefined` if the response must not have it: the
 * session has ended in the meantime, a shared cache would store the response, or the response sets another access cookie, such
 * as that of a new login.
 *
 * @param names The names of the headers that the response has already, in lower case.
 * @param cookies Its `Set-Cookie` values.
 */
export function renewedHeaders(
  renewed: RenewedToken,
  names: readonly string[],
  cookies: readonly string[],
): Record<string, string> | undefined {
  if (names.some((name) => OVERRIDES_CACHE_CONTROL.test(name)) || !renewed.mayBeSent()) return undefined
  const { accessToken, expiresIn, cookie } = renewed
  const [tokenHeader, expiryHeader] = RENEWED_HEADERS
  const noStore = { 'cache-control': 'no-store' }
  if (cookie === undefined)
    return { ...noStore, [tokenHeader]: accessToken, [expiryHeader]: String(expiresIn) }
  const start = cookie.slice(0, cookie.indexOf('=') + 1)
  return cookies.some((other) => other.startsWith(start)) ? undefined : { ...noStore, 'set-cookie': cookie }
}
