import { timingSafeEqual, createHash } from 'node:crypto'
import fastify, { LogController } from 'fastify'
import type { FastifyBaseLogger, FastifyInstance, FastifyRequest } from 'fastify'
import { PortcullisError } from '../../src/errors.js'
import type { Core } from '../core.js'
import { sendError } from '../problem-details.js'
import { makeOurOwn, withMethodNotAllowed } from '../routes/context.js'
import { explainRoute } from '../routes/admin-explain.js'
import { revocationsRoutes } from '../routes/admin-revocations.js'

/** What the admin listener serves. */
export interface AdminParts {
  /** As of a prom-client registry. */
  readonly metrics: { readonly contentType: string; metrics(): Promise<string> }
  readonly api: { readonly core: Core; readonly token: string } | undefined
}

/**
 * The admin listener: a server of its own, on its own port, never on the public one. `/metrics` is open; `/api` is
 * there only with a token, and asks for it.
 */
export async function createAdmin(
  { metrics, api }: AdminParts,
  log: FastifyBaseLogger,
): Promise<FastifyInstance> {
  const app = fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
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
  const given = headers.authorization ?? ''
  // Digests, as what is compared must be of one length.
  if (timingSafeEqual(digest(given), digest(`Bearer ${token}`))) return
  throw new PortcullisError(given === '' ? 'credentials_missing' : 'token_invalid', {
    detail: 'Send it as: Authorization: Bearer <admin.token>.',
  })
}
