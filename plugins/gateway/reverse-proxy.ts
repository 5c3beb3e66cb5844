import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Admission } from '../../src/token/admission.js'
import type { GatewaySettings } from '../../src/config.js'
import { PortcullisError } from '../../src/errors.js'
import { forward } from '../../src/gateway/forward.js'
import type { Failure, ForwardOptions, ForwardOutcome, Upgrade } from '../../src/gateway/forward.js'
import { headerRules } from '../../src/gateway/header-rules.js'
import type { HeaderRules } from '../../src/gateway/header-rules.js'
import { rewriteTarget } from '../../src/gateway/rewrite-target.js'
import { rawTarget } from '../../src/gateway/request-target.js'
import { createUpstreams } from '../../src/gateway/upstreams.js'
import type { Upstream } from '../../src/gateway/upstreams.js'
import { OWN_PATHS } from '../../src/own-paths.js'
import { cookieNames } from '../../src/token/token-cookies.js'
import { withoutQueryTokens } from '../../src/token/query-token.js'
import { forwardedClient } from '../client-address.js'
import type { ClientConnections } from './client-connections.js'
import type { Core } from '../core.js'
import { identityRefused } from './gate.js'
import type { Gate, GateRoute } from './gate.js'
import { createOnSuccess } from './on-success.js'
import { FastifyRequestFacts, reportAdmission } from '../request-facts.js'
import { checkedTarget } from './strict-requests.js'
import { registerUpgrades } from './websocket-upgrade.js'
import type { Upgrades } from './websocket-upgrade.js'
import { readUpstreamCa } from './upstream-ca.js'

/** All that a request needs on its way through. */
interface ProxyContext {
  readonly core: Core
  readonly gate: Gate
  readonly rules: HeaderRules
  readonly upgrades: Upgrades
  readonly connections: ClientConnections
  /** Of each route that leads somewhere. */
  readonly destinations: ReadonlyMap<GateRoute, Destination>
}

interface Destination {
  readonly upstream: Upstream
  readonly limits: ForwardOptions['limits']
}

/**
 * The reverse proxy. Whatever isn't one of our own routes is looked up in the route table, judged, and forwarded;
 * what no route covers is 404. It all happens in the handler of what Fastify hasn't found, before the body is read.
 */
export async function registerGateway(
  app: FastifyInstance,
  core: Core,
  settings: GatewaySettings,
  { gate, connections }: { gate: Gate; connections: ClientConnections },
): Promise<void> {
  const upstreams = createUpstreams({
    ...(await readUpstreamCa(settings.upstreams.ca)),
    connections: settings.upstreams.connections,
    onHealth: (origin, isUp, reason) =>
      isUp
        ? app.log.info({ event: 'upstream_up', origin }, 'an upstream can be reached again')
        : app.log.warn(
            { event: 'upstream_down', origin, reason },
            'an upstream doesn’t answer; others of its route are asked instead',
          ),
  })
  app.addHook('onClose', async () => upstreams.destroy())
  const names = cookieNames(settings.cookies)
  const rules = headerRules({ identity: core.identity.names, cookies: [names.access, names.refresh] })
  const destinations = new Map<GateRoute, Destination>()
  for (const route of gate.routes) {
    if (!route.upstream) continue
    const upstream = upstreams.get(route.upstream, route.timeouts.connect)
    destinations.set(route, { upstream, limits: { ...route.limits, idle: settings.limits.idle } })
  }
  const upgrades = registerUpgrades(app, settings, connections)
  const context: ProxyContext = { core, gate, rules, upgrades, connections, destinations }

  // The body is streamed on, not parsed.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, _payload, done) => done(null))
  app.addHook('preParsing', ({ is404, headers }, _reply, payload, done) => {
    // Fastify would answer 415 to a media type that it can't read. What is forwarded are the raw headers.
    if (is404 && headers['content-type'] !== undefined) headers['content-type'] = 'application/octet-stream'
    done(null, payload)
  })
  app.setNotFoundHandler((request, reply) => admitAndForward(context, request, reply))
}

/**
 * Judges a request, and forwards or refuses it. Without a promise where nothing is waited for: it runs on every
 * request.
 */
function admitAndForward(context: ProxyContext, request: FastifyRequest, reply: FastifyReply): void {
  const refuse = (error: unknown) => void reply.send(error)
  try {
    const { gate, upgrades } = context
    const target = checkedTarget(request.raw)
    const route = gate.find({ method: request.method, target })
    const isOurs = target.ok && OWN_PATHS.includes(target.match)
    // Undefined: it is there for forward-auth alone.
    const destination = isOurs ? undefined : context.destinations.get(route)
    if (!destination)
      throw new PortcullisError('not_found', { detail: 'No route covers this path and method.' })
    const upgrade = upgrades.take(request)
    const covered = { route, destination, target: rawTarget(target), upgrade }
    const admission = gate.admit(new FastifyRequestFacts(request), route)
    if (!(admission instanceof Promise)) return send(context, request, reply, covered, admission)
    admission.then((late) => send(context, request, reply, covered, late)).catch(refuse)
  } catch (error) {
    refuse(error)
  }
}

interface CoveredRequest {
  readonly route: GateRoute
  readonly destination: Destination
  /** As it came. */
  readonly target: string
  readonly upgrade: Upgrade | undefined
}

function send(
  context: ProxyContext,
  request: FastifyRequest,
  reply: FastifyReply,
  { route, destination, target, upgrade }: CoveredRequest,
  admission: Admission,
): void {
  reportAdmission(admission, reply)
  const { core } = context
  const { upstream, limits } = destination
  const { auth } = admission
  const onSuccess = createOnSuccess(core, route, admission, reply)
  const outgoing = outgoingHeaders(context, request, route, admission)
  for (const [name, value] of Object.entries(reply.getHeaders())) reply.raw.setHeader(name, value!)
  // A client that leaves doesn't end it, so that its connection says nothing of when it is over.
  const finished = onSuccess && context.connections.addWork()
  let unwatch: (() => void) | undefined | null
  const forwarding = forward(request.raw, reply.raw, {
    upstream,
    target: upstreamTarget(route, target, admission),
    ...outgoing,
    rules: context.rules,
    limits,
    timeouts: route.timeouts,
    upgrade,
    onHead:
      onSuccess &&
      ((status: number) => {
        if (status < 200 || status > 299) return undefined
        // It is about to end its own session.
        if (route.onSuccess !== 'end-other-sessions') unwatch?.()
        return onSuccess()
      }),
    onOutcome(outcome) {
      unwatch?.()
      unwatch = null
      reportOutcome(request, reply, upstream, outcome)
      if (outcome.kind === 'aborted' && outcome.failure) logMissed(request, admission, outcome.failure)
      finished?.()
    },
  })
  // null: it is over already.
  if (auth === null || unwatch === null) return
  unwatch = core.live.watch({ auth, onOutage: route.onOutage, end: (code) => forwarding.cut(code) })
}

function upstreamTarget(route: GateRoute, raw: string, { transport }: Admission): string {
  const { path, rewritePrefix, forwardToken } = route
  const target = transport === 'query' && !forwardToken ? withoutQueryTokens(raw) : raw
  return rewritePrefix === undefined ? target : rewriteTarget(target, path, rewritePrefix)
}

const ENDS: ReadonlySet<string> = new Set(['session_ended', 'token_revoked', 'token_expired'])

/** Answers what was not forwarded; the rest was answered on the way. */
function reportOutcome(
  request: FastifyRequest,
  reply: FastifyReply,
  { name }: Upstream,
  outcome: ForwardOutcome,
): void {
  if (outcome.kind === 'failed') {
    const { error, reason } = outcome
    request.log.warn({ event: 'forward_failed', upstream: name, error, reason }, 'not forwarded')
    dropRawHeaders(reply)
    // What is left of the body may still come.
    const headers = error === 'request_timeout' ? { connection: 'close' } : {}
    return void reply.send(outcome.refusal ?? new PortcullisError(error, { reason, headers }))
  }
  if (outcome.kind === 'cut') {
    // The end of a session is no trouble; what an upstream or the store does may be.
    const level = ENDS.has(outcome.reason) ? 'info' : 'warn'
    request.log[level]({ event: 'forward_cut', upstream: name, ...outcome }, 'the answer was cut')
  }
}

/** Nobody has heard that the sessions which `onSuccess` should end may still be good. */
function logMissed({ log }: FastifyRequest, { auth }: Admission, { error, reason }: Failure): void {
  log.warn(
    { event: 'on_success_failed', sub: auth?.sub, sid: auth?.sid, error, reason },
    'the client has left, and the sessions that onSuccess names may not have ended',
  )
}

function outgoingHeaders(
  { rules, core }: ProxyContext,
  request: FastifyRequest,
  route: GateRoute,
  { auth, transport }: Admission,
): Pick<ForwardOptions, 'host' | 'headers' | 'framing'> {
  const outgoing = rules.request(request.raw.rawHeaders, {
    origin: forwardedClient(request),
    host: route.host,
    drop: route.forwardToken ? undefined : tokenHeader(transport),
    identity: auth ? core.identity.build(auth) : {},
  })
  if (outgoing.ok) return outgoing
  if (outgoing.reason === 'identity_value') throw identityRefused()
  throw new PortcullisError('invalid_request', {
    detail: `The ${outgoing.reason.replace('_', ' ')} header is not acceptable.`,
    headers: { connection: 'close' },
  })
}

function tokenHeader(transport: Admission['transport']): string | undefined {
  if (transport === 'header') return 'authorization'
  return transport === 'x-access-token' ? transport : undefined
}

/** What was meant for the upstream's answer isn't for ours; Fastify sets its own. */
function dropRawHeaders(reply: FastifyReply): void {
  for (const name of reply.raw.getHeaderNames()) reply.raw.removeHeader(name)
}
