import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import type { ProblemDetails } from '../src/contract.js'
import { PortcullisError } from '../src/errors.js'
import type { ErrorCode } from '../src/errors.js'
import { createSampler } from '../src/sample.js'
import { revealRefusal } from '../src/token/hidden-refusal.js'
import { loggablePath } from './loggable-path.js'
import { OWN_HEADERS } from './own-headers.js'

/**
 * Maps Fastify's error codes to ours, with a detail. Any other error that isn't a `PortcullisError` is unexpected. The
 * client gets 500, and only the log has the cause.
 */
const FASTIFY_CODES: Record<string, [ErrorCode, string]> = {
  FST_ERR_CTP_BODY_TOO_LARGE: ['body_too_large', 'Send a smaller body.'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [
    'unsupported_media_type',
    'Send application/json, or a form if the route accepts forms.',
  ],
  FST_ERR_CTP_INVALID_JSON_BODY: ['invalid_request', 'The body is not valid JSON.'],
  FST_ERR_CTP_EMPTY_JSON_BODY: ['invalid_request', 'The body is empty.'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: [
    'invalid_request',
    'The length of the body differs from Content-Length.',
  ],
  FST_ERR_ROUTE_MISSING_CONTENT_TYPE: ['invalid_request', 'This method needs a Content-Type (RFC 10008 §2).'],
  FST_ERR_BAD_URL: ['target_refused', 'The path has an invalid percent-escape.'],
  FST_ERR_MAX_PARAM_LENGTH: ['not_found', 'A segment of the path is too long.'],
}

/** Converts a thrown value to the error that the client gets. Unknown errors become `internal_error`. */
export function toPortcullisError(error: unknown): PortcullisError {
  if (error instanceof PortcullisError) return error
  const known = FASTIFY_CODES[(error as FastifyError | undefined)?.code ?? '']
  if (known) return new PortcullisError(known[0], { detail: known[1], cause: error })
  return new PortcullisError('internal_error', {
    detail: 'The server log has the cause under this request_id.',
    cause: error,
  })
}

export function buildProblemDetails(error: PortcullisError, requestId: string): ProblemDetails {
  return {
    type: `urn:portcullis:problem:${error.code}`,
    title: error.title,
    status: error.statusCode,
    ...(error.detail !== undefined && { detail: error.detail }),
    code: error.code,
    request_id: requestId,
  }
}

/** The code of the error that a request was refused with. A hidden route has sent another one. */
const CODE = Symbol('portcullis.code')

type RequestWithCode = FastifyRequest & { [CODE]?: ErrorCode }

/** Notes the code of the error that a request was refused with, for its line in the log. */
export function noteErrorCode(request: RequestWithCode, code: ErrorCode): void {
  request[CODE] = code
}

/** Returns the code of the error that a request was refused with, `undefined` if there was none. */
export function errorCodeOf(request: RequestWithCode): ErrorCode | undefined {
  return request[CODE]
}

/** Sends an error as problem+json (RFC 9457). The body is sent as text, so no serializer of the host changes it. */
export function sendError(
  request: FastifyRequest,
  reply: FastifyReply,
  error: PortcullisError,
): FastifyReply {
  noteError(request, error)
  return reply
    .code(error.statusCode)
    .headers({ ...OWN_HEADERS, 'cache-control': 'no-store', ...error.headers })
    .type('application/problem+json')
    .send(JSON.stringify(buildProblemDetails(error, request.id)))
}

/** Logs an error that an operator has to fix, and remembers the code that was sent for the request. */
export function noteError(request: FastifyRequest, error: PortcullisError): void {
  const refusal = revealRefusal(error)
  logServerFault(request, refusal)
  noteErrorCode(request, refusal.code)
}

const sample = createSampler()

/** Logs the errors that an operator has to fix. Errors of clients aren't logged here. */
function logServerFault(request: FastifyRequest, error: PortcullisError): void {
  const request_id = request.id
  if (error.code === 'internal_error') {
    // The client has disconnected before its whole body had arrived. That is no fault of the server.
    if (error.cause !== undefined && error.cause === request.raw.errored) return
    request.log.error({ event: 'fault', err: error.cause, request_id }, 'a request failed')
  } else if (error.code === 'store_unavailable') {
    const { reason } = error
    sample(() =>
      request.log.warn(
        { event: 'store_unavailable', reason, request_id },
        'requests are refused because the session store is unavailable',
      ),
    )
  } else if (error.code === 'target_refused') logRefusedTarget(request, error.reason)
}

/** Logs which rule refused a request target. Fastify's own lines have `/`, because no such target is routed. */
function logRefusedTarget({ id, server, originalUrl }: FastifyRequest, rule: string | undefined): void {
  const target = loggablePath(originalUrl).slice(0, 500)
  // A logger of the request would have to be created, even if its level is off.
  server.log.debug({ event: 'target_refused', rule, target, request_id: id }, 'a request target was refused')
}
