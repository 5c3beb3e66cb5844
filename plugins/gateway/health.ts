import type { FastifyInstance, FastifyReply } from 'fastify'
import { makeOurOwn, withMethodNotAllowed } from '../routes/context.js'
import type { ClientConnections } from './client-connections.js'
import type { Core } from '../../src/app/core.js'

/** Adds `GET /readyz` with the state of Redis and of the replica. It is for the admin listener only. */
export function detailedReadinessRoute(
  context: FastifyInstance,
  { readiness }: Pick<Core, 'readiness'>,
): void {
  context.get('/readyz', async (_request, reply) => {
    const { isReady, ...details } = await readiness()
    return sendReadiness(reply, isReady, details)
  })
}

function sendReadiness(reply: FastifyReply, isReady: boolean, details: object = {}): FastifyReply {
  if (!isReady) reply.code(503).header('retry-after', '1')
  return reply.send({ status: isReady ? 'ready' : 'unready', ...details })
}

/**
 * Adds `GET /healthz` and `GET /readyz`. The first returns 200 while the process runs. The second returns 503 during a
 * drain, while the store doesn't take writes, and while the denylist can't decide. It doesn't say why, because clients
 * may read it.
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
        const { isReady } = await core.readiness()
        return sendReadiness(reply, isReady)
      })
    })
  })
}
