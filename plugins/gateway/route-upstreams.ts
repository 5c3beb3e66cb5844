import type { FastifyInstance } from 'fastify'
import type { Core } from '../../src/app/core.js'
import type { GatewaySettings } from '../../src/config.js'
import type { ForwardOptions } from '../../src/gateway/forward.js'
import { headerRules } from '../../src/gateway/header-rules.js'
import type { HeaderRules } from '../../src/gateway/header-rules.js'
import { createRedirectRewriter } from '../../src/gateway/redirects.js'
import type { RedirectRewriter } from '../../src/gateway/redirects.js'
import { createUpstreams } from '../../src/gateway/upstreams.js'
import type { Upstream, Upstreams } from '../../src/gateway/upstreams.js'
import { cookieNames } from '../../src/token/token-cookies.js'
import { readUpstreamTls } from '../../src/upstream-tls.js'
import { addressKey } from '../client-address.js'
import type { GateRoute } from './gate.js'
import { createLoopGuards } from './loop-guard.js'
import type { LoopGuard } from './loop-guard.js'
import { watchUpstreams } from './request-metrics.js'

/** The upstream of a route, and how requests and responses pass between it and clients. */
export interface RouteUpstream {
  readonly upstream: Upstream
  readonly rules: HeaderRules
  readonly loops: LoopGuard
  /** Set if the route rewrites redirects (`redirects: rewrite`). */
  readonly rewriteRedirects: RedirectRewriter | undefined
  readonly limits: ForwardOptions['limits']
}

/**
 * Creates the upstreams of the routes. Routes without an upstream aren't in the result.
 *
 * @throws {StartError} if a file of `upstreams` can't be used
 */
export async function createRouteUpstreams(
  app: FastifyInstance,
  core: Core,
  settings: GatewaySettings,
  routes: readonly GateRoute[],
): Promise<ReadonlyMap<GateRoute, RouteUpstream>> {
  const upstreams = await openUpstreams(app, core, settings, routes)
  const names = cookieNames(settings.cookies)
  const filtered = { identity: core.identity.names, cookies: [names.access, names.refresh] }
  const rules = {
    gateway: headerRules({ ...filtered, ownsCors: settings.cors.origins.length > 0 }),
    upstream: headerRules({ ...filtered, ownsCors: false }),
  }
  const createLoopGuard = createLoopGuards()
  const routeUpstreams = new Map<GateRoute, RouteUpstream>()
  for (const route of routes) {
    if (!route.upstream) continue
    const upstream = upstreams.get(route.upstream, route.timeouts.connect)
    const loops = createLoopGuard(route.path, upstream.name)
    const rewriteRedirects =
      route.redirects === 'rewrite' ? createRedirectRewriter(route, upstream) : undefined
    const { idle, minBodyRate } = settings.limits
    const limits = { ...route.limits, idle, minBodyRate }
    routeUpstreams.set(route, { upstream, rules: rules[route.cors], loops, rewriteRedirects, limits })
  }
  return routeUpstreams
}

async function openUpstreams(
  app: FastifyInstance,
  core: Core,
  settings: GatewaySettings,
  routes: readonly GateRoute[],
): Promise<Upstreams> {
  const origins = routes.flatMap(({ upstream }) => upstream ?? [])
  const setUpstream = watchUpstreams(core.metrics.registry, origins)
  const { connections, servername } = settings.upstreams
  const upstreams = createUpstreams({
    ...(await readUpstreamTls(settings.upstreams)),
    ...(servername !== undefined && { servername }),
    connections,
    responseHeaders: settings.limits.responseHeaders,
    groupClient: addressKey,
    onHealth: (origin, isUp, reason) => {
      setUpstream(origin, isUp)
      return isUp
        ? app.log.info({ event: 'upstream_up', origin }, 'upstream server reachable again')
        : app.log.warn(
            { event: 'upstream_down', origin, reason },
            'upstream server unreachable; requests go to the other servers of its upstream',
          )
    },
  })
  app.addHook('onClose', async () => upstreams.destroy())
  return upstreams
}
