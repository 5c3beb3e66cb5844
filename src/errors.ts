/**
 * Every error that Portcullis answers with: its code on the wire, its status, and its RFC 9457 title.
 * What is told outside is coarse; the fine reason goes to the log (`PortcullisError.reason`).
 */
export const ERRORS = {
  invalid_request: [400, 'The request is not valid'],
  credentials_ambiguous: [400, 'More than one credential of a kind was presented'],
  target_refused: [400, 'The request target is not acceptable'],
  refresh_token_missing: [400, 'No refresh token was presented'],
  credentials_missing: [401, 'An access token is needed'],
  token_malformed: [401, 'The access token is malformed'],
  token_invalid: [401, 'The access token is not valid'],
  token_expired: [401, 'The access token has expired'],
  token_revoked: [401, 'The access token was revoked'],
  session_ended: [401, 'The session has ended'],
  signed_in_elsewhere: [401, 'The session gave way to a newer one'],
  refresh_token_invalid: [401, 'The refresh token is not valid'],
  refresh_token_expired: [401, 'The refresh token has expired'],
  refresh_token_reused: [401, 'The refresh token was used before'],
  refresh_limit_reached: [401, 'The session was refreshed as often as it may be'],
  reauthentication_required: [401, 'A new login is needed'],
  invalid_credentials: [401, 'The username or the password is wrong'],
  insufficient_scope: [403, 'The access token lacks the scope'],
  cross_site_request: [403, 'The request came from another site'],
  not_found: [404, 'Not found'],
  method_not_allowed: [405, 'The method is not allowed here'],
  request_timeout: [408, 'The request took too long to arrive'],
  body_too_large: [413, 'The body is too large'],
  unsupported_media_type: [415, 'The media type is not supported'],
  rate_limited: [429, 'Too many requests'],
  headers_too_large: [431, 'The headers are too large'],
  internal_error: [500, 'Something went wrong here'],
  upstream_unavailable: [502, 'The upstream could not be reached'],
  store_unavailable: [503, 'The session store cannot be reached'],
  overloaded: [503, 'Too busy'],
  upstream_timeout: [504, 'The upstream took too long'],
} as const satisfies Record<string, readonly [status: number, title: string]>

export type ErrorCode = keyof typeof ERRORS

export interface PortcullisErrorOptions {
  /** A sentence for the caller: what was wrong and what to do. Never holds a secret. */
  detail?: string
  /** The fine reason, for the log alone. */
  reason?: string
  /** Headers of the answer, lower-case names. */
  headers?: Record<string, string>
  cause?: unknown
}

/**
 * An answer that is not what was asked for. Thrown by behaviours and guards; the edge turns it into
 * `application/problem+json` (RFC 9457). `statusCode`, `code` and `headers` are what Fastify's own error handling
 * understands, so a host with `refusals: 'throw'` may let it pass.
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
    const [statusCode, title] = ERRORS[code]
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
 * RFC 6750 §3: what a refused request is told of how to authenticate. Without credentials it bears no error word
 * (§3.1), nor where the credentials weren't a token.
 */
function buildChallenge(code: ErrorCode, statusCode: number): string | undefined {
  if (code === 'credentials_ambiguous') return `${REALM}, error="invalid_request"`
  if (code === 'insufficient_scope') return `${REALM}, error="insufficient_scope"`
  if (statusCode !== 401) return undefined
  if (code === 'credentials_missing' || code === 'invalid_credentials') return REALM
  return `${REALM}, error="invalid_token", error_description="${ERRORS[code][1]}"`
}

/** The token is good, but not for this (RFC 6750 §3.1). */
export function insufficientScope(needed: readonly string[], demand = 'the scope'): PortcullisError {
  const scope = needed.join(' ')
  return new PortcullisError('insufficient_scope', {
    detail: `It needs ${demand}: ${scope}.`,
    headers: { 'www-authenticate': `${REALM}, error="insufficient_scope", scope="${scope}"` },
  })
}

/** Redis (or whatever keeps the sessions) cannot be asked now: 503 with `Retry-After`, never 401 and never success. */
export function storeUnavailable(cause: unknown): PortcullisError {
  return new PortcullisError('store_unavailable', {
    detail: 'Nothing was changed that you can rely on; try again shortly.',
    reason: cause instanceof Error ? cause.message : String(cause),
    cause,
  })
}
