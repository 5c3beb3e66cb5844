import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { GatewaySettings, RouteSettings } from '../src/config.js'
import { Refusal } from '../src/errors.js'
import { forward } from '../src/gateway/forward.js'
import { headerRules } from '../src/gateway/headers.js'
import type { HeaderRules } from '../src/gateway/headers.js'
import { compileRoutes } from '../src/gateway/routes.js'
import { createUpstreams } from '../src/gateway/upstreams.js'
import type { Upstream } from '../src/gateway/upstreams.js'
import { cookieNames } from '../src/token/cookies.js'
import type { Transport } from '../src/token/bearer.js'
import type { Auth } from '../src/verdict.js'
import { checkNeeds, credentialsOf, judge } from './authenticate.js'
import type { Core } from './core.js'
import { targetOf } from './target.js'

type GatewayRoute = RouteSettings & { readonly server: Upstream }

interface Identified {
  readonly auth: Auth | null
  readonly transport: Transport | undefined
}

/**
 * The reverse proxy. Whatever isn't one of our own routes is looked up in the route table, judged, and forwarded; what no
 * route covers is 404. It all happens in the handler of what Fastify hasn't found, before the body is read.
 */
export function registerGateway(app: FastifyInstance, core: Core, settings: GatewaySettings): void {
  const { prefix, identity, limits } = settings
  const upstreams = createUpstreams(settings.timeouts)
  app.addHook('onClose', () => upstreams.destroy())
  const names = cookieNames(settings.cookies)
  const rules = headerRules({
    identity: Object.keys(identity.headers),
    cookies: [names.access, names.refresh],
  })
  const table = compileRoutes(
    settings.routes.map((route): GatewayRoute => ({ ...route, server: upstreams.get(route.upstream) })),
  )

  // The body is streamed on, not parsed.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, _payload, done) => done(null))
  app.addHook('preParsing', ({ is404, headers }, _reply, payload, done) => {
    // Fastify would answer 415 to a media type that it can't read. What is forwarded are the raw headers.
    if (is404 && headers['content-type'] !== undefined) headers['content-type'] = 'application/octet-stream'
    done(null, payload)
  })

  app.setNotFoundHandler(async (request, reply) => {
    const target = targetOf(request.raw)
    const isOurs = target.match === prefix || target.match.startsWith(`${prefix}/`)
    const route = isOurs ? undefined : table.find(request.method, target.match)
    if (!route) throw new Refusal('not_found', { detail: 'No route covers this path and method.' })
    const identified = await identify(request, reply, core, route)
    const outgoing = outgoingHeaders(request, rules, route, identified, identity.headers)
    for (const [name, value] of Object.entries(reply.getHeaders())) reply.raw.setHeader(name, value!)
    const outcome = await forward(request.raw, reply.raw, {
      upstream: route.server,
      target: request.raw.url!,
      ...outgoing,
      rules,
      limits: { ...route.limits, idle: limits.idle },
      timeouts: route.timeouts,
    })
    if (outcome.kind === 'failed') {
      request.log.warn({ event: 'forward_failed', upstream: route.upstream, ...outcome }, 'not forwarded')
      dropRawHeaders(reply)
      throw new Refusal(outcome.error, { reason: outcome.reason })
    }
    if (outcome.kind === 'cut') {
      request.log.warn({ event: 'forward_cut', upstream: route.upstream, ...outcome }, 'the answer was cut')
    }
    return reply.hijack()
  })
}

/** Who the request is from, as far as the route wants to know. */
async function identify(
  request: FastifyRequest,
  reply: FastifyReply,
  core: Core,
  { auth: mode, scope, onOutage = core.settings.revocation.onOutage }: GatewayRoute,
): Promise<Identified> {
  if (mode === 'none') return { auth: null, transport: undefined }
  try {
    const credentials = credentialsOf(request, { ...core, origins: core.settings.cors.origins })
    const auth = credentials ? await judge(credentials.token, reply, { ...core, onOutage }) : null
    checkNeeds(auth, { isRequired: mode === 'required', scope })
    return { auth, transport: credentials?.transport }
  } catch (error) {
    if (error instanceof Refusal) core.metrics.refusal(error.code)
    throw error
  }
}

function outgoingHeaders(
  request: FastifyRequest,
  rules: HeaderRules,
  route: GatewayRoute,
  { auth, transport }: Identified,
  identityHeaders: Readonly<Record<string, string>>,
) {
  const outgoing = rules.request(request.raw.rawHeaders, {
    origin: { ip: request.ip, protocol: request.protocol, host: request.host || undefined },
    host: route.host === 'keep' ? { kind: 'keep' } : { kind: 'upstream', value: route.server.host },
    dropAuthorization: transport === 'header' && !route.forwardToken,
    identity: auth ? identityOf(auth, identityHeaders) : {},
  })
  if (outgoing.ok) return { headers: outgoing.headers, framing: outgoing.framing }
  if (outgoing.reason === 'identity_value') {
    throw new Refusal('token_invalid', {
      detail: 'A claim of it cannot be sent in a header.',
      reason: outgoing.reason,
    })
  }
  throw new Refusal('invalid_request', {
    detail: `The ${outgoing.reason.replace('_', ' ')} header is not acceptable.`,
  })
}

/** The identity headers of the upstream, by the claims that they are configured with; others of its kind have none. */
function identityOf(
  { claims }: Auth,
  headers: Readonly<Record<string, string>>,
): Record<string, string | undefined> {
  const identity: Record<string, string | undefined> = {}
  for (const [name, claim] of Object.entries(headers)) {
    const value = Object.hasOwn(claims, claim) ? claims[claim] : undefined
    const isPlain = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    identity[name] = isPlain ? String(value) : undefined
  }
  return identity
}

/** What was meant for the upstream's answer isn't for ours; Fastify sets its own. */
function dropRawHeaders(reply: FastifyReply): void {
  for (const name of reply.raw.getHeaderNames()) reply.raw.removeHeader(name)
}
