import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import type { ProblemDetails } from '../src/contract.js'
import { PortcullisError } from '../src/errors.js'
import type { ErrorCode } from '../src/errors.js'
import { createSampler } from './sample.js'

/** Fastify's own errors, as ours. What isn't here, and isn't ours, is a fault: 500, and told to the log alone. */
const FASTIFY_CODES: Record<string, [ErrorCode, string]> = {
  FST_ERR_CTP_BODY_TOO_LARGE: ['body_too_large', 'Send a smaller body.'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [
    'unsupported_media_type',
    'Send application/json, or a form where the route takes one.',
  ],
  FST_ERR_CTP_INVALID_JSON_BODY: ['invalid_request', 'The body is not valid JSON.'],
  FST_ERR_CTP_EMPTY_JSON_BODY: ['invalid_request', 'The body is empty.'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['invalid_request', 'The body is not as long as Content-Length says.'],
  FST_ERR_ROUTE_MISSING_CONTENT_TYPE: ['invalid_request', 'This method needs a Content-Type (RFC 10008 §2).'],
  FST_ERR_BAD_URL: ['target_refused', 'The path has an escape that is not valid.'],
  FST_ERR_MAX_PARAM_LENGTH: ['not_found', 'A part of the path is too long.'],
}

/** Whatever was thrown, as the answer that it leads to. */
export function toPortcullisError(error: unknown): PortcullisError {
  if (error instanceof PortcullisError) return error
  const known = FASTIFY_CODES[(error as FastifyError | undefined)?.code ?? '']
  if (known) return new PortcullisError(known[0], { detail: known[1], cause: error })
  return new PortcullisError('internal_error', {
    detail: 'The log has more, under the request_id.',
    cause: error,
  })
}

export function buildProblemDetails(refusal: PortcullisError, requestId: string): ProblemDetails {
  return {
    type: `urn:portcullis:problem:${refusal.code}`,
    title: refusal.title,
    status: refusal.statusCode,
    ...(refusal.detail !== undefined && { detail: refusal.detail }),
    code: refusal.code,
    request_id: requestId,
  }
}

/** Answers with the problem (RFC 9457). As text, so that a host's serializers leave it alone. */
export function sendError(
  request: FastifyRequest,
  reply: FastifyReply,
  refusal: PortcullisError,
): FastifyReply {
  logServerFault(request, refusal)
  return reply
    .code(refusal.statusCode)
    .headers({ 'cache-control': 'no-store', ...refusal.headers })
    .type('application/problem+json')
    .send(JSON.stringify(buildProblemDetails(refusal, request.id)))
}

const sample = createSampler()

/** What isn't the caller's fault is the operator's business. */
function logServerFault(request: FastifyRequest, refusal: PortcullisError): void {
  const request_id = request.id
  if (refusal.code === 'internal_error') {
    request.log.error({ event: 'fault', err: refusal.cause, request_id }, 'a request failed')
  } else if (refusal.code === 'store_unavailable') {
    const { reason } = refusal
    sample(() =>
      request.log.warn(
        { event: 'store_unavailable', reason, request_id },
        'refused, as others may be: no store',
      ),
    )
  }
}
