/** Errors of the OAuth routes: `application/json` with `error` and `error_description` (RFC 6749 §5.2). */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { OAuthErrorBody } from '../src/contract.js'
import type { PortcullisError } from '../src/errors.js'
import { OWN_HEADERS } from './own-headers.js'
import { noteError, toPortcullisError } from './problem-details.js'

/**
 * Sends an error of an OAuth route. It is the error handler of these routes.
 *
 * @example
 * app.post('/token', { errorHandler: sendOAuthError }, handler)
 */
export function sendOAuthError(thrown: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const error = toPortcullisError(thrown)
  noteError(request, error)
  const [status, code] = toOAuth(error)
  const body: OAuthErrorBody = { error: code, error_description: describe(error) }
  const retryAfter = error.headers['retry-after']
  return reply
    .code(status)
    .headers({
      ...OWN_HEADERS,
      'cache-control': 'no-store',
      ...(retryAfter && { 'retry-after': retryAfter }),
    })
    .type('application/json')
    .send(JSON.stringify(body))
}

/**
 * Returns the status and the OAuth error code. A 401 becomes `invalid_grant`, because it says that a code or a refresh
 * token isn't good any more. `temporarily_unavailable` and `server_error` are from RFC 6749 §4.1.2.1: §5.2 has no code
 * for these cases.
 */
function toOAuth({ code, statusCode }: PortcullisError): [status: number, error: string] {
  if (code === 'invalid_grant' || code === 'unsupported_grant_type') return [statusCode, code]
  if (statusCode === 401) return [400, 'invalid_grant']
  if (statusCode === 429 || statusCode === 503) return [statusCode, 'temporarily_unavailable']
  if (statusCode >= 500) return [statusCode, 'server_error']
  return [statusCode === 413 ? 413 : 400, 'invalid_request']
}

/** Returns the title and the detail, with the characters that RFC 6749 §5.2 allows. */
function describe({ title, detail }: PortcullisError): string {
  const text = detail === undefined ? `${title}.` : `${title}. ${detail}`
  return text.replaceAll('"', "'").replaceAll(/[^ !#-[\]-~]/g, '')
}
