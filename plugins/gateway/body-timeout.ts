import { PassThrough } from 'node:stream'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Milliseconds } from '../../src/clock.js'
import { PortcullisError } from '../../src/errors.js'
import { discard } from '../../src/gateway/request-body.js'

/**
 * Limits the time in which the whole body of a request to our own routes must arrive. Node's `requestTimeout` can't be
 * used, because it would also cut long uploads to upstreams.
 */
export function boundBodyTime(app: FastifyInstance, timeout: Milliseconds): void {
  app.addHook('preParsing', (request, reply, payload, done) => {
    if (request.is404 || !hasBody(request)) return done(null, payload)
    const bounded = new PassThrough()
    const timer = setTimeout(() => {
      payload.unpipe(bounded)
      bounded.destroy(
        new PortcullisError('request_timeout', {
          detail: `The whole body must arrive within ${timeout} ms.`,
          headers: { connection: 'close' },
        }),
      )
    }, timeout)
    bounded.once('end', () => clearTimeout(timer))
    reply.raw.once('close', () => clearTimeout(timer))
    payload.once('error', (error: Error) => bounded.destroy(error))
    // A response may be sent before anything reads the body. Without a listener, an error would then end the process.
    bounded.on('error', () => {})
    done(null, payload.pipe(bounded))
  })
  // If the response was sent before the body was read, limit the rest of the body, too.
  app.addHook('onResponse', (request, _reply, done) => {
    discard(request.raw)
    done()
  })
}

function hasBody({ headers }: FastifyRequest): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}
