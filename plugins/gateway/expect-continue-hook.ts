import type { IncomingMessage, ServerResponse } from 'node:http'
import { randomBytes } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import { PortcullisError } from '../../src/errors.js'
import { oweContinue, sendContinue } from '../../src/gateway/expect-continue.js'
import { OWN_HEADERS } from '../own-headers.js'
import { buildProblemDetails } from '../problem-details.js'

/**
 * Handles `Expect: 100-continue` (RFC 9110 §10.1.1). Node would send `100 Continue` before admission. With this hook it
 * is sent only when an upstream or one of our own routes reads the body. Call it before any route is added.
 */
export function registerExpectContinue(app: FastifyInstance): void {
  const { server } = app
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    oweContinue(request, response)
    server.emit('request', request, response)
  })
  server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    // An empty list expects nothing (RFC 9110 §5.6.1).
    if (/^[\s,]*$/.test(request.headers.expect ?? '')) server.emit('request', request, response)
    else refuseExpectation(response)
  })
  // Runs after the guards. Requests without a Fastify route (`is404`) are forwarded or refused by the reverse proxy.
  app.addHook('preParsing', (request, _reply, payload, done) => {
    if (!request.is404) sendContinue(request.raw)
    done(null, payload)
  })
}

function refuseExpectation(response: ServerResponse): void {
  const error = new PortcullisError('invalid_request', {
    detail: 'Expect: only 100-continue is supported.',
  })
  const problem = { ...buildProblemDetails(error, randomBytes(4).toString('hex')), status: 417 }
  response.writeHead(417, {
    'content-type': 'application/problem+json',
    ...OWN_HEADERS,
    'cache-control': 'no-store',
    // The client may or may not send the body, so the connection can't be reused.
    connection: 'close',
  })
  response.end(JSON.stringify(problem))
}
