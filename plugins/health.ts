import type { FastifyInstance } from 'fastify'
import { makeOurOwn, withMethodNotAllowed } from './routes/context.js'
import type { Core } from './core.js'

/** `GET /healthz`: the process is up. `GET /readyz`: the store can be used and the replica is live, so that a
 * login needn't wait. */
export async function registerHealth(app: FastifyInstance, core: Core): Promise<void> {
  await app.register(async (context) => {
    makeOurOwn(context)
    withMethodNotAllowed(context, () => {
      context.get('/healthz', async () => ({ status: 'up' }))
      context.get('/readyz', async (_request, reply) => {
        const { isReady, ...rest } = await core.readiness()
        if (!isReady) reply.code(503).header('retry-after', '1')
        return { status: isReady ? 'ready' : 'unready', ...rest }
      })
    })
  })
}
