/** The API for the application of the host: `app.portcullis`. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Registry } from 'prom-client'
import type { SessionView, TokenResponse } from '../src/contract.js'
import type { ErrorCode } from '../src/errors.js'
import type { PageOptions } from '../src/session/list-sessions.js'
import type { SecurityEventSource } from '../src/event-listeners.js'
import type { RevokeRequest } from '../src/session/revoke.js'
import type { Identity, ClientInfo } from '../src/session/session.js'
import type { SessionLives } from '../src/config/session-lives.js'
import type { Auth } from '../src/token/auth.js'
import type { Guards } from './guards.js'
import type { DeviceCredentials } from './login-request.js'
import type { LogoutRequest } from './logout-request.js'

/** One page of sessions. `nextCursor` is the `cursor` of the next page, or `undefined` on the last page. */
export type SessionList = SessionView[] & { readonly nextCursor: string | undefined }

/**
 * The API that `app.portcullis` offers to the host, together with the guards `authenticate` and `authorize`.
 *
 * A method that needs Redis rejects with `PortcullisError` `store_unavailable` if Redis doesn't respond in time. The
 * work may still have been done, so repeat the call.
 */
export interface Portcullis extends Guards {
  /**
   * Starts a session for a user whom the host has authenticated, and returns its tokens. Their lifetimes are in
   * seconds. The call can wait up to 3 s if tokens of the subject were revoked by `sub` or `all` a moment ago.
   *
   * @example
   * ```ts
   * const { access_token, refresh_token } = await app.portcullis.issue({
   *   sub: 'u1',
   *   scope: 'read write',
   *   device: 'laptop',
   *   ip: request.ip,
   *   userAgent: request.headers['user-agent'],
   *   access: '5m',
   * })
   * ```
   *
   * @throws {TypeError} if `sub`, `clientId`, `scope`, `access` or `refresh` is invalid, a field is unknown, `claims` make the access token
   *   too long, or this instance only verifies tokens (`keys.verify`, `keys.jwks`)
   * @throws {PortcullisError} `signed_in_elsewhere` if the subject has too many sessions and `sessions.onLimit` is
   *   `refuse`; `store_unavailable`
   */
  issue(login: Identity & ClientInfo & SessionLives): Promise<TokenResponse>
  /**
   * Verifies a username and a password as `POST /auth/login` does, with the same limits, and starts a session. Use it in
   * a route of your own, with a body of your own.
   *
   * @example
   * ```ts
   * app.post('/login', async (request) => {
   *   const { name, secret } = request.body as { name: string; secret: string }
   *   return { code: 0, data: await app.portcullis.login({ username: name, password: secret }, request) }
   * })
   * ```
   *
   * @param request The request of the client. Its address counts towards the limits, and the session keeps its client
   *   info. A login function receives it.
   * @throws {TypeError} if the option `login` isn't set, `request` is missing, or this instance only verifies tokens
   * @throws {PortcullisError} the error that `POST /auth/login` responds with, such as `invalid_request`,
   *   `invalid_credentials`, `rate_limited` or `store_unavailable`
   */
  login(credentials: DeviceCredentials, request: FastifyRequest): Promise<TokenResponse>
  /**
   * Renews a session of the single scheme (`tokens.scheme`), as `POST /auth/renew` does: exchanges its newest access
   * token, expired or not, for the next one. Within `tokens.reuseGrace`, its predecessor gets the same token again.
   *
   * @param accessToken The token as the client sent it, or `undefined` if it sent none.
   * @param client Without `ip`, the renewal isn't counted by address.
   * @example
   * ```ts
   * const { access_token } = await app.portcullis.renew(oldToken, { ip: request.ip })
   * ```
   *
   * @throws {TypeError} in the dual scheme, or if this instance only verifies tokens
   * @throws {PortcullisError} the error that `POST /auth/renew` responds with: `credentials_missing`, `token_malformed`,
   *   `token_invalid`, `token_revoked`, `refresh_token_reused`, `refresh_limit_reached`, `reauthentication_required`,
   *   `session_ended`, `signed_in_elsewhere`, `rate_limited`; `store_unavailable`. Repeat the call after the latter.
   */
  renew(accessToken: string | undefined, client?: { ip?: string | undefined }): Promise<TokenResponse>
  /**
   * Exchanges a refresh token for new tokens, as `POST /auth/refresh` does. Use it in a route of your own, with a body
   * of your own. The old token must not be used again.
   *
   * @example
   * ```ts
   * app.get('/refresh', async (request) => {
   *   const { refresh_token } = request.query as { refresh_token?: string }
   *   return { code: 0, data: await app.portcullis.refresh(refresh_token, { ip: request.ip }) }
   * })
   * ```
   *
   * @param refreshToken The token as the client sent it, or `undefined` if it sent none.
   * @param client The client. With `ip`, the refresh counts towards the limits of this address. `userAgent` has no
   *   effect.
   * @throws {TypeError} if this instance only verifies tokens
   * @throws {PortcullisError} the error that `POST /auth/refresh` responds with, such as `refresh_token_missing`,
   *   `refresh_token_reused`, `session_ended`, `rate_limited` or `store_unavailable`
   */
  refresh(
    refreshToken: string | undefined,
    client?: Pick<ClientInfo, 'ip' | 'userAgent'>,
  ): Promise<TokenResponse>
  /**
   * Ends the session of the presented tokens, as `POST /auth/logout` does, or all sessions of the subject (`all`), or all
   * but the current one (`all` and `keepCurrent`). When it resolves, no instance admits their tokens. `all` needs an
   * access token that is still valid.
   *
   * @example
   * ```ts
   * await app.portcullis.logout({ accessToken, refreshToken })
   * await app.portcullis.logout({ accessToken, all: true })
   * ```
   *
   * @throws {TypeError} if neither token is given, a value has the wrong type, or `store` is `none`. A token that is given
   *   as `undefined` is one that the client didn't send: without both, the error is `credentials_missing`.
   * @throws {PortcullisError} the error that `POST /auth/logout` responds with, such as `token_invalid`,
   *   `refresh_token_invalid` or `store_unavailable`. After the latter, repeat the call.
   */
  logout(request: LogoutRequest): Promise<void>
  /**
   * Adds the token cookies to a reply, as `POST /auth/login` with `cookies: true` does, and returns the token response
   * without the tokens. Use it for a login of your own in browsers, such as the callback of an identity provider. That
   * route must itself make sure that the login was begun in this browser (the `state` parameter of RFC 6749 §10.12).
   *
   * @example
   * ```ts
   * app.get('/callback', async (request, reply) => {
   *   const user = await finishLogin(request)
   *   app.portcullis.setCookies(reply, await app.portcullis.issue({ sub: user.id }))
   *   return reply.redirect('/')
   * })
   * ```
   *
   * @throws {TypeError} if `cookies.enabled` is `false`, `tokens` isn't the result of `issue`, or this instance only
   *   verifies tokens
   */
  setCookies(reply: FastifyReply, tokens: TokenResponse): TokenResponse
  /**
   * Revokes one access token (`jti`), one session (`sid`), all tokens of a subject (`sub`), all tokens that one key has
   * signed (`kid`), or all tokens (`all: true`). When the promise resolves, no instance admits these tokens. The refresh
   * tokens of sessions that were revoked by `sid`, `sub` or `all` don't work either.
   *
   * @example
   * ```ts
   * await app.portcullis.revoke({ sid: 'bYx3…' })
   * await app.portcullis.revoke({ jti: 'f9Kq…', expiresAt: auth.expiresAt })
   * // Tokens that were issued until now, or until `before` (Unix seconds).
   * await app.portcullis.revoke({ sub: 'u1', reason: 'account disabled' })
   * ```
   *
   * @throws {TypeError} if `what` isn't exactly one of `jti`, `sid`, `sub`, `kid` and `all: true`, or `store` is `none`
   * @throws {PortcullisError} `store_unavailable`. The tokens may or may not be revoked. Repeat the call.
   */
  revoke(what: RevokeRequest): Promise<void>
  readonly sessions: {
    /**
     * Lists one page of the subject's sessions. A page has 100 sessions unless `limit` is set, and 500 at most. It can
     * be shorter than `limit` although more pages follow. Pages are ordered by the latest time at which a session can
     * end, and the sessions in a page by age, oldest first.
     *
     * @example
     * ```ts
     * const page = await app.portcullis.sessions.list('u1', { limit: 50 })
     * const next = await app.portcullis.sessions.list('u1', { limit: 50, cursor: page.nextCursor })
     * ```
     *
     * @throws {TypeError} if `sub` can't be a subject, or `store` is `none`
     * @throws {RangeError} if `limit` isn't a whole number from 1 to 500, or `cursor` isn't a `nextCursor`
     * @throws {PortcullisError} `store_unavailable`
     */
    list(sub: string | number, options?: PageOptions): Promise<SessionList>
    /**
     * Ends all sessions of a subject, or all except the session with the id `except`. When the promise resolves, no
     * instance admits their tokens. A new login works at once, unlike after `revoke({ sub })`.
     *
     * @example
     * ```ts
     * // After a change of the password.
     * await app.portcullis.sessions.endAll(auth.sub, { except: auth.sid })
     * ```
     *
     * @throws {TypeError} if `sub` can't be a subject, or `store` is `none`
     * @throws {PortcullisError} `store_unavailable`. Some sessions may have ended. Repeat the call.
     */
    endAll(sub: string | number, options?: { except?: string }): Promise<void>
  }
  /**
   * Verifies an access token outside a route, such as the token of a WebSocket message: signature, claims, expiry, then
   * the denylist. `revocation.onOutage` doesn't apply here.
   *
   * @example
   * ```ts
   * const { sub, scope } = await app.portcullis.verifyToken(token)
   * ```
   *
   * @param token The token as the client sent it, or `undefined` if it sent none.
   * @throws {PortcullisError} `credentials_missing`, `token_malformed`, `token_invalid`, `token_expired`, `token_revoked`,
   *   `history_lost`, `session_ended`, `signed_in_elsewhere`, or `store_unavailable` if the denylist can't decide
   */
  verifyToken(token: string | undefined): Promise<Auth>
  /**
   * Ties a WebSocket or an event stream to the access token that opened it. Calls `end` at most once, within 100 ms
   * after the token was revoked on any instance, has expired (plus `tokens.leeway`), or can't be verified any more
   * (`revocation.onOutage`).
   *
   * @example
   * ```ts
   * const release = app.portcullis.onTokenEnd(request.auth, (code) => socket.close(4401, code))
   * socket.on('close', release)
   * ```
   *
   * @param auth The object from `request.auth` or `verifyToken`, not a copy of it.
   * @param end Closes the connection. `code` is the error code that a new request would get.
   * @returns A function that ends the tie without a call of `end`. Call it when the connection closes.
   * @throws {TypeError} if `auth` is a copy
   */
  onTokenEnd(auth: Auth, end: (code: ErrorCode) => void): () => void
  /**
   * The security events of this instance: logins, logouts, ended sessions, reused tokens and so on. The names and fields
   * are those of the log.
   *
   * @example
   * ```ts
   * app.portcullis.events.on('session_ended', ({ sub, sid, reason }) => audit.write({ sub, sid, reason }))
   * ```
   */
  readonly events: SecurityEventSource
  /**
   * The metrics, as a registry of prom-client.
   *
   * @example
   * ```ts
   * import { Registry } from 'prom-client'
   * app.get('/metrics', () => Registry.merge([ownRegistry, app.portcullis.metrics]).metrics())
   * ```
   */
  readonly metrics: Registry
  /**
   * Returns true if Redis takes writes, this instance can decide without an outage, and the keys of `keys.jwks` were
   * fetched. Never rejects.
   */
  isReady(): Promise<boolean>
}
