/**
 * The package's exports.
 *
 * @example
 * ```ts
 * import portcullis, { authenticate } from 'portcullis'
 * app.register(portcullis, { store: 'redis://127.0.0.1:6379', issuer, audience, login })
 * app.get('/me', { onRequest: authenticate }, async (request) => request.auth)
 * ```
 */
import { importedGuards } from '../plugins/imported-guards.js'

/**
 * Guards that find the plugin when a request comes: they can be declared before the plugin is registered. Where it isn't
 * registered, they refuse with 500.
 */
export const { authenticate, authorize } = importedGuards
export { default, default as portcullis } from '../plugins/portcullis.js'
export type { Portcullis, SessionList } from '../plugins/portcullis.js'
export type { Guard, Guards, ScopeNeeds } from '../plugins/guards.js'
export { ConfigError } from './config.js'
export type { LoginCredentials, LoginFunction, PluginOptions } from './config.js'
export type { SessionView, TokenResponse } from './contract.js'
export { ERRORS, PortcullisError } from './errors.js'
export type { ErrorCode } from './errors.js'
export type { Identity, ClientInfo } from './session/session.js'
export type { AccessClaims } from './token/access-token.js'
export type { Auth } from './token/token-verifier.js'
