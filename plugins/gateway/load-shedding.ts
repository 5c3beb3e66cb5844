import type { FastifyInstance } from 'fastify'
import type { GatewaySettings } from '../../src/config.js'
import { PortcullisError } from '../../src/errors.js'
import { EventLoopDelay } from '../../src/event-loop-delay.js'
import type { Core } from '../../src/app/core.js'
import { sendError } from '../problem-details.js'
import { createSampler } from '../../src/sample.js'

/**
 * Refuses requests with 503 `overloaded` while the event loop lags: its mean delay, measured once per second, is above
 * `limits.eventLoopDelay` (ms). Health checks and requests that end a session are always served. Call it before other
 * hooks are added, so a refused request costs nothing else.
 */
export function shedLoad(app: FastifyInstance, core: Core, settings: GatewaySettings): void {
  const limit = settings.limits.eventLoopDelay
  if (limit === 0) return
  const delay = new EventLoopDelay()
  app.addHook('onClose', async () => delay.close())
  const unshedPaths = new Set(['/healthz', '/readyz', `${settings.prefix}/logout`])
  const { prefix, pages } = settings
  const endings = [`${prefix}/sessions/`, ...(pages === undefined ? [] : [`${pages.account}/`])]
  const sample = createSampler()
  app.addHook('onRequest', (request, reply, done) => {
    const eventLoopDelay = delay.mean
    if (eventLoopDelay <= limit) return done()
    const path = request.url.split('?', 1)[0]!
    if (unshedPaths.has(path) || endings.some((each) => path.startsWith(each))) return done()
    core.metrics.refusal('overloaded')
    sample(() =>
      app.log.warn(
        { event: 'overloaded', eventLoopDelay },
        'requests are refused because the event loop lags',
      ),
    )
    sendError(
      request,
      reply,
      new PortcullisError('overloaded', { detail: 'The server is overloaded. Try again shortly.' }),
    )
  })
}
