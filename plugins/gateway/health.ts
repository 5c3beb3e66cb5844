import type { FastifyInstance } from 'fastify'
import { makeOurOwn, withMethodNotAllowed } from '../routes/context.js'
import type { ClientConnections } from './client-connections.js'
import type { Core } from '../core.js'

/**
 * `GET /healthz`: the process is up. `GET /readyz`: the store can be used, the replica is live, so that a login needn't
 * wait, and the process isn't about to stop.
 */
export async function registerHealth(
  app: FastifyInstance,
  core: Core,
  connections: ClientConnections,
): Promise<void> {
  await app.register(async (context) => {
    makeOurOwn(context)
    withMethodNotAllowed(context, () => {
      context.get('/healthz', async () => ({ status: 'up' }))
      context.get('/readyz', async (_request, reply) => {
        if (connections.isDraining) {
          return reply.code(503).header('retry-after', '1').send({ status: 'unready', draining: true })
        }
        const { isReady, ...rest } = await core.readiness()
        if (!isReady) reply.code(503).header('retry-after', '1')
        return { status: isReady ? 'ready' : 'unready', ...rest }
      })
    })
  })
}
