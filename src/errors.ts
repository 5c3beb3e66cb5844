import { redisErrorText } from './redis-error-text.js'

/**
 * The registry of all errors that Portcullis responds with: the code on the wire, the HTTP status and the RFC 9457
 * title. Titles are coarse on purpose. The exact reason goes only to the log (`PortcullisError.reason`).
 */
export const ERRORS = {
  invalid_request: [400, 'The request is not valid'],
  credentials_ambiguous: [400, 'The request has more than one token of the same kind'],
  target_refused: [400, 'The request target is invalid or ambiguous'],
  invalid_grant: [400, 'The one-time code is not valid'],
  unsupported_grant_type: [400, 'The grant type is not supported'],
  refresh_token_missing: [400, 'The request has no refresh token'],
  credentials_missing: [401, 'The request has no access token'],
  token_malformed: [401, 'The access token is malformed'],
  token_invalid: [401, 'The access token is not valid'],
  token_expired: [401, 'The access token has expired'],
  token_revoked: [401, 'The access token was revoked'],
  history_lost: [401, 'The access token is older than the denylist'],
  session_ended: [401, 'The session has ended'],
  signed_in_elsewhere: [401, 'The subject is signed in elsewhere'],
  refresh_token_invalid: [401, 'The refresh token is not valid'],
  refresh_token_expired: [401, 'The refresh token has expired'],
  refresh_token_reused: [401, 'The refresh token was used before'],
  refresh_limit_reached: [401, 'The session has reached its refresh limit'],
  reauthentication_required: [401, 'A new login is required'],
  invalid_credentials: [401, 'The username or the password is wrong'],
  insufficient_scope: [403, 'The access token lacks a required scope'],
  login_refused: [403, 'The login was refused'],
  cross_site_request: [403, 'The request may come from another site'],
  not_found: [404, 'Not found'],
  method_not_allowed: [405, 'The method is not allowed for this route'],
  request_timeout: [408, 'The request took too long to arrive'],
  body_too_large: [413, 'The body is too large'],
  unsupported_media_type: [415, 'The media type is not supported'],
  rate_limited: [429, 'Too many requests'],
  headers_too_large: [431, 'The headers are too large'],
  internal_error: [500, 'An unexpected error occurred'],
  upstream_unavailable: [502, 'The upstream is unavailable'],
  store_unavailable: [503, 'The session store is unavailable'],
  overloaded: [503, 'The server is overloaded'],
  upstream_timeout: [504, 'The upstream took too long to respond'],
  upstream_loop: [508, 'The upstream sends the request back to the gateway'],
} as const satisfies Record<string, readonly [status: number, title: string]>

export type ErrorCode = keyof typeof ERRORS

export interface PortcullisErrorOptions {
  /** A sentence for the client that says what is wrong and what to do. It never contains a secret. */
  detail?: string
  /** The HTTP status, if it isn't the one of the code. Only `login_refused` has a status of the host's choice. */
  statusCode?: number
  /** The exact reason. It is logged, but never sent to the client. */
  reason?: string
  /** Extra response headers, with lower-case names. */
  headers?: Record<string, string>
  cause?: unknown
}

/**
 * An error that refuses a request. The plugin sends it as `application/problem+json` (RFC 9457). Fastify's default
 * error handler understands `statusCode`, `code` and `headers`, so a host application that sets `refusals: 'throw'`
 * needs no error handler of its own.
 */
export class PortcullisError extends Error {
  override readonly name = 'PortcullisError'
  readonly code: ErrorCode
  readonly statusCode: number
  readonly title: string
  readonly detail: string | undefined
  readonly reason: string | undefined
  readonly headers: Record<string, string>

  constructor(code: ErrorCode, options: PortcullisErrorOptions = {}) {
    const [usualStatus, title] = ERRORS[code]
    const statusCode = options.statusCode ?? usualStatus
    super(options.detail ?? title, 'cause' in options ? { cause: options.cause } : undefined)
    this.code = code
    this.statusCode = statusCode
    this.title = title
    this.detail = options.detail
    this.reason = options.reason
    const challenge = buildChallenge(code, statusCode)
    this.headers = {
      ...(statusCode === 503 && { 'retry-after': '1' }),
      ...(challenge !== undefined && { 'www-authenticate': challenge }),
      ...options.headers,
    }
  }
}

const REALM = 'Bearer realm="portcullis"'

/**
 * Returns the `WWW-Authenticate` challenge (RFC 6750 §3), or `undefined` if the error needs none. The challenge has no
 * `error` attribute if the request had no access token (§3.1), or had a username and a password instead.
 */
function buildChallenge(code: ErrorCode, statusCode: number): string | undefined {
  if (code === 'credentials_ambiguous') return `${REALM}, error="invalid_request"`
  if (code === 'insufficient_scope') return `${REALM}, error="insufficient_scope"`
  if (statusCode !== 401) return undefined
  if (code === 'credentials_missing' || code === 'invalid_credentials') return REALM
  return `${REALM}, error="invalid_token", error_description="${ERRORS[code][1]}"`
}

/**
 * Creates the error for a valid access token that lacks a required scope (RFC 6750 §3.1).
 *
 * @param demand The words before the scopes in `detail`
 */
export function insufficientScope(needed: readonly string[], demand = 'the scope'): PortcullisError {
  const scope = needed.join(' ')
  return new PortcullisError('insufficient_scope', {
    detail: `The request needs ${demand}: ${scope}.`,
    headers: { 'www-authenticate': `${REALM}, error="insufficient_scope", scope="${scope}"` },
  })
}

/**
 * Creates the error for a store that is unreachable or can't give a reliable result. The response is a 503 with
 * `Retry-After`. It must be neither a 401 nor a success, because the outcome is unknown.
 *
 * @param cause An error, or a text for the log
 */
export function storeUnavailable(cause: unknown): PortcullisError {
  return new PortcullisError('store_unavailable', {
    detail: 'The outcome of the request is unknown. Repeat it after the delay in Retry-After.',
    reason: redisErrorText(cause instanceof Error ? cause.message : String(cause)),
    cause,
  })
}

/** Returns the error for an exceeded limit, with `Retry-After` in seconds (RFC 6585 §4). */
export function rateLimited(seconds: number): PortcullisError {
  return new PortcullisError('rate_limited', {
    detail: `Try again in ${seconds} s.`,
    headers: { 'retry-after': String(seconds) },
  })
}
