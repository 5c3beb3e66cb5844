/**
 * Sessions with immediate revocation for Fastify. The default export is the plugin.
 *
 * Units: durations in options are texts with a unit, such as `'500ms'`, `'15m'` or `'30d'`. Sizes are texts such as
 * `'16kb'`. Times in tokens, in `request.auth` and in the session list are Unix seconds.
 *
 * @example
 * ```ts
 * import Fastify from 'fastify'
 * import portcullis, { authenticate, authorize } from 'portcullis'
 *
 * const app = Fastify()
 * app.register(portcullis, {
 *   store: 'redis://127.0.0.1:6379',
 *   issuer: 'https://login.example.com',
 *   audience: 'https://api.example.com',
 *   login: async ({ username, password }) => ((await isValid(username, password)) ? { sub: username } : null),
 * })
 * app.get('/orders', { onRequest: authenticate }, async (request) => findOrders(request.auth!.sub))
 * app.delete('/orders/:id', { onRequest: authorize({ scope: 'orders:write' }) }, deleteOrder)
 * ```
 *
 * @packageDocumentation
 */
import { importedGuards } from '../plugins/imported-guards.js'

export const {
  /**
   * Guards a route: requests without a valid access token get 401. Afterwards `request.auth` has the subject.
   *
   * The guard finds the plugin when a request comes, so a route may be declared before the plugin is registered.
   * Without the plugin, requests get 500.
   *
   * `authenticate.optional` also admits requests without a token, with `request.auth` set to `null`. A token that isn't
   * valid still gets 401.
   *
   * `authenticate.with({ hidden, onAnonymous, loginPage })` returns a guard that responds with your application's 404, or
   * with a redirect to the login page, instead of 401. It throws a `TypeError` if an option is invalid.
   *
   * @example
   * ```ts
   * app.get('/me', { onRequest: authenticate }, async (request) => request.auth!.sub)
   * app.get('/news', { onRequest: authenticate.optional }, async (request) => findNews(request.auth?.sub))
   * // Browsers are redirected to the login page, scripts get 401.
   * const page = authenticate.with({ onAnonymous: 'redirect', loginPage: '/login' })
   * app.get('/reports', { onRequest: page }, showReports)
   * ```
   */
  authenticate,
  /**
   * Returns a guard like `authenticate` that also requires scopes. Without them, requests get 403.
   *
   * The token must have every scope of `scope` and at least one of `anyScope`. Each is a list, or a text with spaces
   * between the scopes. Default: no condition, but one of the two must be given. The options `hidden`, `onAnonymous` and
   * `loginPage` are those of `authenticate.with`.
   *
   * @throws {TypeError} when the route is declared, if no scope is given, a scope isn't valid (RFC 6749 §3.3), or an
   *   option is invalid
   * @example
   * ```ts
   * app.delete('/orders/:id', { onRequest: authorize({ scope: 'orders:write' }) }, deleteOrder)
   * app.get('/reports', { onRequest: authorize({ anyScope: ['admin', 'audit'] }) }, listReports)
   * ```
   */
  authorize,
} = importedGuards
export { default, default as portcullis } from '../plugins/portcullis.js'
export type { Portcullis, SessionList } from '../plugins/host-api.js'
export type { LogoutRequest } from '../plugins/logout-request.js'
export type { Guard, Guards } from '../plugins/guards.js'
export type { GuardNeeds, RefusalOptions, ScopeNeeds } from '../plugins/guard-options.js'
export { ConfigError } from './config.js'
export type {
  LoginCredentials,
  LoginFunction,
  PluginOptions,
  RefreshedSession,
  RefreshFunction,
  UserUpdate,
} from './config.js'
export type { SessionView, TokenResponse } from './contract.js'
export { ERRORS, PortcullisError } from './errors.js'
export type { ErrorCode } from './errors.js'
export type { Identity, ClientInfo } from './session/session.js'
export type {
  SecurityEventListener,
  SecurityEventName,
  SecurityEventOf,
  SecurityEventSource,
} from './event-listeners.js'
export type { AccessClaims } from './token/access-token.js'
export type { Auth } from './token/auth.js'
