import type { FastifyInstance } from 'fastify'
import { makeOurOwn, withMethodNotAllowed } from '../routes/context.js'
import type { ClientConnections } from './client-connections.js'
import type { Core } from '../../src/app/core.js'

/**
 * Adds `GET /healthz` and `GET /readyz`. The first returns 200 while the process runs. The second returns 503 during a
 * drain, while the store doesn't take writes, and while the denylist can't decide.
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
