/**
 * The public face.
 *
 * ```ts
 * import portcullis from 'portcullis'
 * await app.register(portcullis, { store: 'redis://127.0.0.1:6379', issuer, audience, login })
 * app.get('/me', { onRequest: app.authenticate }, async (request) => request.auth)
 * ```
 */
export { default, default as portcullis } from '../plugins/portcullis.js'
export type { Portcullis } from '../plugins/portcullis.js'
export type { Guard } from '../plugins/authenticate.js'
export { ConfigError } from './config.js'
export type { Credentials, LoginFunction, PluginOptions } from './config.js'
export type { SessionView, TokenResponse } from './contract.js'
export { ERRORS, Refusal } from './errors.js'
export type { ErrorCode } from './errors.js'
export type { Identity, Origin } from './session/session.js'
export type { AccessClaims } from './token/access-token.js'
export type { Auth } from './verdict.js'
