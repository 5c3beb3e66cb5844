import type { IncomingMessage, ServerResponse } from 'node:http'
import { randomBytes } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import { PortcullisError } from '../../src/errors.js'
import { oweContinue, sendContinue } from '../../src/gateway/expect-continue.js'
import { buildProblemDetails } from '../problem-details.js'

/**
 * `Expect: 100-continue` (RFC 9110 §10.1.1): Node would ask for the body before anything was judged. With this, `100
 * Continue` is sent when the body is wanted: by an upstream, or by a route of ours. To be called before there are
 * routes.
 */
export function registerExpectContinue(app: FastifyInstance): void {
  const { server } = app
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    oweContinue(request, response)
    server.emit('request', request, response)
  })
  server.on('checkExpectation', refuseExpectation)
  // After the guards. What Fastify hasn't found is forwarded, or refused.
  app.addHook('preParsing', (request, _reply, payload, done) => {
    if (!request.is404) sendContinue(request.raw)
    done(null, payload)
  })
}

function refuseExpectation(_request: IncomingMessage, response: ServerResponse): void {
  const refusal = new PortcullisError('invalid_request', {
    detail: 'Expect: nothing but 100-continue can be met.',
  })
  const problem = { ...buildProblemDetails(refusal, randomBytes(4).toString('hex')), status: 417 }
  response.writeHead(417, {
    'content-type': 'application/problem+json',
    'cache-control': 'no-store',
    // Nobody knows whether its body comes.
    connection: 'close',
  })
  response.end(JSON.stringify(problem))
}
