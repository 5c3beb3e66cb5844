import fastify, { LogController } from 'fastify'
import type { FastifyBaseLogger } from 'fastify'
import { makeOurOwn, withMethodNotAllowed } from './routes/context.js'
import type { Metrics } from './metrics.js'
import { answerRefusal } from './errors.js'
import { Refusal } from '../src/errors.js'

/** The admin listener: a server of its own, on its own port, never on the public one. */
export async function createAdmin({ registry }: Metrics, log: FastifyBaseLogger) {
  const app = fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    forceCloseConnections: true,
  })
  app.setNotFoundHandler((request, reply) => answerRefusal(request, reply, new Refusal('not_found')))
  await app.register(async (context) => {
    makeOurOwn(context)
    withMethodNotAllowed(context, () => {
      context.get('/metrics', async (_request, reply) =>
        reply.type(registry.contentType).send(await registry.metrics()),
      )
    })
  })
  return app
}
