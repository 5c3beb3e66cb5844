import { timingSafeEqual, createHash } from 'node:crypto'
import fastify from 'fastify'
import type { FastifyBaseLogger, FastifyInstance, FastifyRequest } from 'fastify'
import { PortcullisError } from '../../src/errors.js'
import type { Core } from '../../src/app/core.js'
import { sendError } from '../problem-details.js'
import { makeOurOwn, withMethodNotAllowed } from '../routes/context.js'
import { requestLogging } from './request-logging.js'
import { explainRoute } from '../routes/admin-explain.js'
import { revocationsRoutes } from '../routes/admin-revocations.js'

/** Dependencies of the admin listener. */
export interface AdminParts {
  /** A prom-client registry, or an object with the same two members. */
  readonly metrics: { readonly contentType: string; metrics(): Promise<string> }
  /** `undefined` leaves out `/api`. */
  readonly api: { readonly core: Core; readonly token: string } | undefined
}

/**
 * Creates the server of the admin listener, which has its own port. `/metrics` needs no token. `/api` exists only if
 * `admin.token` is set, and requires it.
 */
export async function createAdmin(
  { metrics, api }: AdminParts,
  log: FastifyBaseLogger,
): Promise<FastifyInstance> {
  const app = fastify({
    loggerInstance: log,
    ...requestLogging(false),
    forceCloseConnections: true,
  })
  app.setNotFoundHandler((request, reply) => sendError(request, reply, new PortcullisError('not_found')))
  await app.register(async (context) => {
    makeOurOwn(context)
    withMethodNotAllowed(context, () => metricsRoute(context, metrics))
  })
  if (!api) return app
  const { core, token } = api
  await app.register(
    async (context) => {
      makeOurOwn(context)
      context.addHook('onRequest', async (request) => refuseUnlessAdmin(request, token))
      withMethodNotAllowed(context, () => {
        revocationsRoutes(context, core)
        explainRoute(context, core)
      })
    },
    { prefix: '/api' },
  )
  return app
}

function metricsRoute(context: FastifyInstance, metrics: AdminParts['metrics']): void {
  context.get('/metrics', async (_request, reply) =>
    reply.type(metrics.contentType).send(await metrics.metrics()),
  )
}

function refuseUnlessAdmin({ headers }: FastifyRequest, token: string): void {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  const presented = headers.authorization ?? ''
  // Compare digests, because `timingSafeEqual` needs two values of the same length.
  if (timingSafeEqual(digest(presented), digest(`Bearer ${token}`))) return
  throw new PortcullisError(presented === '' ? 'credentials_missing' : 'token_invalid', {
    detail: 'Send the token as Authorization: Bearer <admin.token>.',
  })
}
