import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Admission } from '../../src/token/admission.js'
import type { GatewaySettings } from '../../src/config.js'
import { forward } from '../../src/gateway/forward.js'
import type { Upgrade } from '../../src/gateway/forward.js'
import type { ForwardedClient } from '../../src/gateway/forwarded-headers.js'
import { rawTarget } from '../../src/gateway/request-target.js'
import type { CheckedTarget } from '../../src/gateway/request-target.js'
import type { ClientConnections } from './client-connections.js'
import type { Core } from '../../src/app/core.js'
import { authPropertyOf } from '../decorators.js'
import type { AuthProperty } from '../guards.js'
import { forwardedClient } from '../client-address.js'
import { noRoute } from './gate.js'
import type { Gate, GateRoute } from './gate.js'
import { isCorsHeader } from './cors.js'
import { matchRequest } from './match-request.js'
import { createOnSuccess } from './on-success.js'
import { outgoingHeaders } from './outgoing-headers.js'
import { reportOutcome } from './report-outcome.js'
import { redirectToLogin } from '../redirect-to-login.js'
import { setRenewedHeaders } from '../renewed-tokens.js'
import { FastifyRequestFacts, reportAdmission } from '../request-facts.js'
import { noteRoute } from './request-metrics.js'
import { createRouteUpstreams } from './route-upstreams.js'
import type { RouteUpstream } from './route-upstreams.js'
import { checkedTarget } from './strict-requests.js'
import { upstreamTarget } from './upstream-target.js'
import { registerUpgrades } from './websocket-upgrade.js'
import type { Upgrades } from './websocket-upgrade.js'

/** Everything that the proxy needs to handle a request. */
interface ProxyContext {
  readonly core: Core
  readonly gate: Gate
  /** Returns true for an access token of ours, which no upstream may get without `forwardToken`. */
  readonly isOwnToken: (token: string) => boolean
  readonly upgrades: Upgrades
  readonly connections: ClientConnections
  /** The property of a request that has the verified token. */
  readonly authProperty: AuthProperty
  /** The path or URL of the login page. */
  readonly loginPage: string | undefined
  /** Upstreams by route. Routes without an upstream exist for forward-auth only. */
  readonly upstreams: ReadonlyMap<GateRoute, RouteUpstream>
}

/**
 * Adds the reverse proxy. A request that matches none of our own routes is looked up in the route table, passes
 * admission and is forwarded. Other requests get 404. All this happens in Fastify's not-found handler, before the body
 * is read.
 *
 * @throws {StartError} if a file of `upstreams` can't be used
 */
export async function registerGateway(
  app: FastifyInstance,
  core: Core,
  settings: GatewaySettings,
  { gate, connections }: { gate: Gate; connections: ClientConnections },
): Promise<void> {
  const upstreams = await createRouteUpstreams(app, core, settings, gate.routes)
  const upgrades = registerUpgrades(app, settings, connections)
  const context: ProxyContext = {
    core,
    gate,
    isOwnToken: (token) => core.verifier.namesOwnKey(token),
    upgrades,
    connections,
    authProperty: authPropertyOf(core.settings.decorators),
    loginPage: settings.login.page,
    upstreams,
  }

  // The body is streamed to the upstream without being parsed.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, _payload, done) => done(null))
  app.addHook('preParsing', ({ is404, headers }, _reply, payload, done) => {
    // Fastify would send 415 for an invalid media type. The upstream still gets the client's header, from the raw
    // headers.
    if (is404 && headers['content-type'] !== undefined) headers['content-type'] = 'application/octet-stream'
    done(null, payload)
  })
  app.setNotFoundHandler((request, reply) => admitAndForward(context, request, reply))
}

/**
 * Decides about a request, then forwards or refuses it. Creates no promise if admission is synchronous, because this
 * runs on every request.
 */
function admitAndForward(context: ProxyContext, request: FastifyRequest, reply: FastifyReply): void {
  const target = checkedTarget(request.raw)
  let route: GateRoute | undefined
  const refuse = (error: unknown) => {
    if (!redirect(context, request, reply, { route, target, error })) reply.send(error)
  }
  try {
    const { gate, upgrades } = context
    const client = forwardedClient(request)
    const match = matchRequest(gate, request, client)
    route = match.route
    // A route without an upstream exists for forward-auth only.
    const routeUpstream = context.upstreams.get(route)
    if (!routeUpstream) throw noRoute()
    noteRoute(request, route.path)
    // Before admission, because the token ended at the first pass.
    routeUpstream.loops.check(request)
    const upgrade = upgrades.find(request)
    const routed = { route, routeUpstream, target: rawTarget(target), client, upgrade }
    const admission = gate.admit(new FastifyRequestFacts(request), match, target)
    if (!(admission instanceof Promise)) return send(context, request, reply, routed, admission)
    admission.then((late) => send(context, request, reply, routed, late)).catch(refuse)
  } catch (error) {
    refuse(error)
  }
}

/** Redirects a browser to the login page if its route says so. Returns false if it sends nothing. */
function redirect(
  { core, loginPage, authProperty }: ProxyContext,
  request: FastifyRequest,
  reply: FastifyReply,
  { route, target, error }: { route: GateRoute | undefined; target: CheckedTarget; error: unknown },
): boolean {
  if (route?.onAnonymous !== 'redirect' || loginPage === undefined) return false
  // A token that was admitted, but has a claim for which there is no header, would be the same after a login.
  if (request[authProperty]) return false
  const facts = new FastifyRequestFacts(request)
  return redirectToLogin(request, reply, { error, facts, target, page: loginPage, admitter: core.admitter })
}

interface RoutedRequest {
  readonly route: GateRoute
  readonly routeUpstream: RouteUpstream
  /** The request target as received. */
  readonly target: string
  readonly client: ForwardedClient
  readonly upgrade: Upgrade | undefined
}

function send(
  context: ProxyContext,
  request: FastifyRequest,
  reply: FastifyReply,
  { route, routeUpstream, target, client, upgrade }: RoutedRequest,
  admission: Admission,
): void {
  reportAdmission(admission, reply)
  request[context.authProperty] = admission.auth
  if (upgrade) context.upgrades.count(request, admission.auth)
  const { core } = context
  const { upstream, rules, limits, rewriteRedirects } = routeUpstream
  const { auth, renewed } = admission
  const onSuccess = createOnSuccess(core, route, admission, reply)
  const { hopId } = routeUpstream.loops
  const outgoing = outgoingHeaders(context, request, { route, rules, hopId, client }, admission)
  const forwardedTarget = upstreamTarget(context.isOwnToken, route, target, admission)
  for (const [name, value] of Object.entries(reply.getHeaders())) {
    if (route.cors === 'gateway' || !isCorsHeader(name)) reply.raw.setHeader(name, value!)
  }
  // `onSuccess` continues after its client has left, so a stop must wait for it apart from the client's connection.
  const finished = onSuccess && context.connections.addWork()
  let unwatch: (() => void) | undefined | null
  const forwarding = forward(request.raw, reply.raw, {
    upstream,
    target: forwardedTarget,
    ...outgoing,
    client: client.ip,
    rules: rewriteRedirects ? rewriteRedirects(rules, client) : rules,
    limits,
    timeouts: route.timeouts,
    upgrade,
    onHead:
      onSuccess &&
      ((status: number) => {
        if (status < 200 || status > 299) return undefined
        // `onSuccess` is about to end the session of this request, which must not cut its own response.
        if (route.onSuccess !== 'end-other-sessions') unwatch?.()
        return onSuccess()
      }),
    onBegin: renewed && ((headers) => setRenewedHeaders(reply.raw, renewed, headers)),
    onOutcome(outcome) {
      unwatch?.()
      unwatch = null
      reportOutcome(request, reply, { upstream, admission, outcome })
      finished?.()
    },
  })
  // `unwatch` is null if the response has already ended.
  if (auth === null || unwatch === null) return
  unwatch = core.live.watch({ auth, onOutage: route.onOutage, end: (code) => forwarding.cut(code) })
}
