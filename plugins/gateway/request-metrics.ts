import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Gauge } from 'prom-client'
import type { Metric, Registry } from 'prom-client'
import { RequestHistogram, toOutcome } from '../../src/request-histogram.js'

/** The route of the table that a request was found to be for. */
const ROUTE = Symbol('portcullis.route')

/** Notes the path of the route that a proxied request is for. */
export function noteRoute(request: FastifyRequest, path: string): void {
  ;(request as { [ROUTE]?: string })[ROUTE] = path
}

/** Returns the path of the route that a request was for, never its own path. `none` without a route. */
export function routeOf(request: FastifyRequest): string {
  const noted = (request as { [ROUTE]?: string | null })[ROUTE]
  return noted ?? (request.is404 ? 'none' : (request.routeOptions.url ?? 'none'))
}

/**
 * Measures each request by the path of its route, never by its own path, which a client chooses. Requests without a route
 * have the label `none`.
 */
export function measureRequests(app: FastifyInstance, registry: Registry): void {
  const histogram = new RequestHistogram()
  registry.registerMetric(histogram as unknown as Metric)
  app.decorateRequest(ROUTE as never, null as never)
  app.addHook('onResponse', (request, reply, done) => {
    const outcome = toOutcome(reply.raw.statusCode, reply.raw.writableFinished)
    histogram.observe(routeOf(request), outcome, reply.elapsedTime / 1000)
    done()
  })
}

/** Adds the gauge of the upstream servers. Returns a function that records whether a server is reachable. */
export function watchUpstreams(
  registry: Registry,
  origins: Iterable<string>,
): (origin: string, isUp: boolean) => void {
  const gauge = new Gauge({
    name: 'portcullis_upstream_up',
    help: '1 if the upstream server is reachable, 0 while requests avoid it',
    labelNames: ['origin'],
    aggregator: 'min',
    registers: [registry],
  })
  for (const origin of origins) gauge.set({ origin }, 1)
  return (origin, isUp) => gauge.set({ origin }, isUp ? 1 : 0)
}
