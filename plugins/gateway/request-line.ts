import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { AuthProperty } from '../guards.js'
import { loggablePath } from '../loggable-path.js'
import { errorCodeOf } from '../problem-details.js'
import { routeOf } from './request-metrics.js'

/** Logs one line per request, when its response has ended. The line has the path as received, but no query. */
export function logRequests(app: FastifyInstance, authProperty: AuthProperty): void {
  app.addHook('onResponse', (request, reply, done) => {
    logRequest(request, reply, authProperty)
    done()
  })
}

/** Logs the line of one request. Needed by itself for requests after which Fastify runs no hook. */
export function logRequest(request: FastifyRequest, reply: FastifyReply, authProperty?: AuthProperty): void {
  const { id, method, originalUrl, server } = request
  // Fields without a value don't appear in the line.
  server.log.info(
    {
      event: 'request',
      request_id: id,
      method,
      path: loggablePath(originalUrl),
      status: reply.raw.statusCode,
      duration_ms: Math.round(reply.elapsedTime * 10) / 10,
      route: routeOf(request),
      sub: authProperty && request[authProperty]?.sub,
      code: errorCodeOf(request),
      aborted: reply.raw.writableFinished ? undefined : true,
    },
    'request completed',
  )
}
