import underPressure from '@fastify/under-pressure'
import type { FastifyInstance } from 'fastify'
import type { GatewaySettings } from '../../src/config.js'
import { PortcullisError } from '../../src/errors.js'
import type { Core } from '../core.js'
import { sendError } from '../problem-details.js'
import { createSampler } from '../sample.js'

/**
 * Sheds load: while the mean delay of the event loop, taken each second, is above `limits.eventLoopDelay`, requests are
 * answered 503 `overloaded` before anything else is done for them. What says that the process is up, and what ends a
 * session, is let through. To be called before other hooks are added.
 */
export async function shedLoad(app: FastifyInstance, core: Core, settings: GatewaySettings): Promise<void> {
  const limit = settings.limits.eventLoopDelay
  if (limit === 0) return
  // It measures only. A threshold would add its own hook, which builds an object of the route's options for each
  // request.
  await app.register(underPressure)
  const spared = new Set(['/healthz', '/readyz', `${settings.prefix}/logout`])
  const sessions = `${settings.prefix}/sessions/`
  const sample = createSampler()
  app.addHook('onRequest', (request, reply, done) => {
    const { eventLoopDelay } = app.memoryUsage()
    if (eventLoopDelay <= limit) return done()
    const path = request.url.split('?', 1)[0]!
    if (spared.has(path) || path.startsWith(sessions)) return done()
    core.metrics.refusal('overloaded')
    sample(() => app.log.warn({ event: 'overloaded', eventLoopDelay }, 'refused, as others are: too busy'))
    sendError(request, reply, new PortcullisError('overloaded', { detail: 'Try again shortly.' }))
  })
}
