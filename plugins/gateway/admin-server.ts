import fastify from 'fastify'
import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import type { GatewaySettings } from '../../src/config.js'
import { PortcullisError } from '../../src/errors.js'
import type { Core } from '../../src/app/core.js'
import { sendError, toPortcullisError } from '../problem-details.js'
import { makeOurOwn, withMethodNotAllowed } from '../routes/context.js'
import { refuseForeignHosts, requireAdminToken } from './admin-access.js'
import { detailedReadinessRoute } from './health.js'
import { CONNECTIONS_CHECK, sendClientError } from './http-server.js'
import { withoutRequestLines } from './request-logging.js'
import { explainRoute } from '../routes/admin-explain.js'
import { revocationsRoutes } from '../routes/admin-revocations.js'

/** Dependencies of the admin listener. */
export interface AdminParts {
  /** A prom-client registry, or an object with the same two members. */
  readonly metrics: { readonly contentType: string; metrics(): Promise<string> }
  /** `undefined` leaves out `/readyz` and `/api`. */
  readonly core: Core | undefined
  /** `undefined` leaves out `/api`. */
  readonly token: string | undefined
  /** Hosts that requests may name, besides IP addresses and names without a dot. */
  readonly hosts: readonly string[]
  readonly limits: Pick<GatewaySettings['limits'], 'headersTimeout' | 'bodyTimeout'>
}

/**
 * Creates the server of the admin listener, which has its own port. `/metrics` and `/readyz` need no token. `/api`
 * exists only if `admin.token` is set, and requires it.
 */
export async function createAdmin(
  { metrics, core, token, hosts, limits }: AdminParts,
  log: FastifyBaseLogger,
): Promise<FastifyInstance> {
  const app = fastify({
    loggerInstance: log,
    ...withoutRequestLines(),
    forceCloseConnections: true,
    clientErrorHandler: sendClientError,
    requestTimeout: limits.headersTimeout + limits.bodyTimeout,
    http: { headersTimeout: limits.headersTimeout, connectionsCheckingInterval: CONNECTIONS_CHECK },
  })
  app.setErrorHandler((error, request, reply) => sendError(request, reply, toPortcullisError(error)))
  refuseForeignHosts(app, hosts)
  app.setNotFoundHandler((request, reply) => sendError(request, reply, new PortcullisError('not_found')))
  await app.register(async (context) => {
    makeOurOwn(context)
    withMethodNotAllowed(context, () => {
      metricsRoute(context, metrics)
      if (core) detailedReadinessRoute(context, core)
    })
  })
  if (!core || token === undefined) return app
  await app.register(
    async (context) => {
      makeOurOwn(context)
      await requireAdminToken(context, token)
      withMethodNotAllowed(context, () => {
        if (core.settings.store !== 'none') revocationsRoutes(context, core)
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
