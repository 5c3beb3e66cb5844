import type { FastifyReply, FastifyRequest } from 'fastify'
import { PortcullisError } from '../../src/errors.js'
import type { Failure, ForwardOutcome } from '../../src/gateway/forward.js'
import { explainUpstreamTls } from '../../src/gateway/upstream-tls-advice.js'
import type { Upstream } from '../../src/gateway/upstreams.js'
import type { Admission } from '../../src/token/admission.js'

/** Reasons for a cut that are caused by the token, not by a failure. */
const TOKEN_END_CODES: ReadonlySet<string> = new Set([
  'session_ended',
  'signed_in_elsewhere',
  'token_revoked',
  'history_lost',
  'token_expired',
])

/** Sends the error if the upstream gave no response, and logs failures and cuts. */
export function reportOutcome(
  request: FastifyRequest,
  reply: FastifyReply,
  {
    upstream: { name },
    admission,
    outcome,
  }: { upstream: Upstream; admission: Admission; outcome: ForwardOutcome },
): void {
  if (outcome.kind === 'aborted' && outcome.failure) logOnSuccessFailure(request, admission, outcome.failure)
  if (outcome.kind === 'failed') {
    const { error, reason } = outcome
    request.log.warn(
      { event: 'forward_failed', upstream: name, error, reason },
      explainUpstreamTls(reason) ?? 'the request was not forwarded, or got no valid response',
    )
    dropRawHeaders(reply)
    // The rest of the body may still arrive on this connection.
    const headers = error === 'request_timeout' ? { connection: 'close' } : {}
    return void reply.send(outcome.refusal ?? new PortcullisError(error, { reason, headers }))
  }
  if (outcome.kind === 'cut') {
    // The end of a token is expected. Other reasons may be failures of an upstream or of the store.
    const level = TOKEN_END_CODES.has(outcome.reason) ? 'info' : 'warn'
    request.log[level]({ event: 'forward_cut', upstream: name, ...outcome }, 'the response was cut')
  }
}

/** Logs that `onSuccess` may have failed after its client has left. No response can report it any more. */
function logOnSuccessFailure({ log }: FastifyRequest, { auth }: Admission, { error, reason }: Failure): void {
  log.warn(
    { event: 'on_success_failed', sub: auth?.sub, sid: auth?.sid, error, reason },
    'the client has disconnected, and the sessions that onSuccess ends may still be valid',
  )
}

/** Removes the headers that were set for the upstream's response. Fastify sets its own for the error. */
function dropRawHeaders(reply: FastifyReply): void {
  for (const name of reply.raw.getHeaderNames()) reply.raw.removeHeader(name)
}
