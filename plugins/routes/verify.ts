import { METHODS } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { GatewaySettings } from '../../src/config.js'
import { Refusal } from '../../src/errors.js'
import { peersIn, readOriginal } from '../../src/gateway/original.js'
import { identityValue } from '../../src/gateway/headers.js'
import { judgeTarget, rawTarget } from '../../src/gateway/target.js'
import type { JudgedTarget } from '../../src/gateway/target.js'
import { changesState } from '../../src/token/cross-site.js'
import { withoutQueryTokens } from '../../src/token/query.js'
import type { Auth } from '../../src/verdict.js'
import { checkNeeds, credentialsOf, judge } from '../authenticate.js'
import type { Core } from '../core.js'
import { identityRefused } from '../gate.js'
import type { Asked, Gate } from '../gate.js'

/** What the gateway knows, and a host's own application doesn't. */
export interface Front {
  readonly gate: Gate
  readonly settings: Pick<GatewaySettings, 'listen' | 'limits' | 'workers'>
}

interface Original extends Asked {
  readonly host: string | undefined
  /** Whether browsers are to be sent to log in. */
  readonly mayRedirect: boolean
}

/**
 * `/auth/verify`, with any method and suffix: forward-auth. A proxy in front asks whether a request may pass, and
 * gets 200 with the identity's headers, or the refusal. In the gateway a listed peer asks about a request, which the
 * route table decides; everybody else, and everybody in a host's own application, about a token. Reads no body, sets
 * no cookie.
 */
export function verifyRoute(app: FastifyInstance, core: Core, front?: Front): void {
  // Envoy asks with the original's method. (A host's application keeps the methods that it has.)
  const unknown = front ? METHODS.filter((method) => !app.supportedMethods.includes(method)) : []
  for (const method of unknown) app.addHttpMethod(method)

  const isListed = peersIn(front?.settings.listen.trustProxy ?? [])
  const originalOf = front && originals(`${core.settings.prefix}/verify`, front.settings.limits)
  const page = typeof core.settings.login === 'function' ? undefined : core.settings.login.page
  const onRequest = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const isTrusted = isListed(request.raw.socket.remoteAddress)
    const original = isTrusted ? originalOf?.(request) : undefined
    try {
      const admitted = original
        ? passes(front!.gate, request, reply, original)
        : judgeAlone(core, request, reply)
      const auth = admitted instanceof Promise ? await admitted : admitted
      if (!auth) return reply.send()
      const { of, withoutProof } = core.identity
      return reply.headers(identityHeaders(isTrusted ? of(auth) : withoutProof(auth))).send()
    } catch (error) {
      if (!original || page === undefined || !goesToLogin(error, request, original)) throw error
      return reply.code(302).header('location', loginUrl(page, original.target)).send()
    }
  }
  for (const url of ['/verify', '/verify/*']) app.all(url, { onRequest }, () => undefined)
}

/** The request that a check of a listed peer is about; undefined where it doesn't say. */
function originals(path: string, limits: Front['settings']['limits']) {
  return (request: FastifyRequest): Original | undefined => {
    const { raw, query } = request
    const original = readOriginal({ method: request.method, url: raw.url!, rawHeaders: raw.rawHeaders }, path)
    if (original.kind === 'untold') return undefined
    if (original.kind === 'unclear') throw new Refusal('invalid_request', { detail: original.detail })
    const { method, target, host, by } = original
    const mayRedirect = by === 'headers' && (query as Record<string, unknown>)['mode'] === 'redirect'
    return { method, target: judgeTarget(target, limits), host, mayRedirect }
  }
}

type Judged = Auth | null | Promise<Auth | null>

/** As the gateway would decide, were the original request its own. */
function passes(gate: Gate, request: FastifyRequest, reply: FastifyReply, original: Original): Judged {
  const route = gate.find(original)
  const admitted = gate.admit(askedBy(request, original), reply, route, { isUpgrade: isUpgrade(request) })
  return admitted instanceof Promise ? admitted.then(({ auth }) => auth) : admitted.auth
}

const REQUIRED = { isRequired: true, scope: [] }

/** As the guard `authenticate` would. */
function judgeAlone(core: Core, request: FastifyRequest, reply: FastifyReply): Auth | Promise<Auth> {
  const { verdict, transports, settings, metrics } = core
  const refuse = (error: unknown): never => {
    if (error instanceof Refusal) metrics.refusal(error.code)
    throw error
  }
  // nginx asks by GET whatever the original's method is. A page of another site can't leave `Origin` out when it
  // changes something.
  const mayChange = changesState(request.method) || request.headers.origin !== undefined || isUpgrade(request)
  const asked = askedBy(request, { method: mayChange ? 'POST' : 'GET', host: request.host })
  try {
    const credentials = credentialsOf(asked, reply, { transports, origins: settings.cors.origins })
    if (!credentials) checkNeeds(null, REQUIRED)
    const auth = judge(credentials!.token, reply, { verdict, onOutage: settings.revocation.onOutage })
    return auth instanceof Promise ? auth.catch(refuse) : auth
  } catch (error) {
    return refuse(error)
  }
}

/** The check as the request that it stands for; its target was taken by a route. */
function askedBy(
  request: FastifyRequest,
  { method, host, target }: { method: string; host: string | undefined; target?: JudgedTarget },
): FastifyRequest {
  const url = { value: target ? rawTarget(target) : request.raw.url }
  return Object.create(request, {
    raw: { value: Object.create(request.raw, { url, originalUrl: url }) },
    method: { value: method },
    headers: { value: { ...request.headers, host } },
  })
}

/** Most proxies keep `Upgrade` to themselves; the handshake's other headers come through. */
function isUpgrade({ headers }: FastifyRequest): boolean {
  return headers.upgrade !== undefined || headers['sec-websocket-key'] !== undefined
}

function identityHeaders(identity: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(identity)) {
    if (value === undefined) continue
    const text = identityValue(value)
    if (text === undefined) throw identityRefused()
    headers[name] = text
  }
  return headers
}

/** A browser that opens a page, and would see a refusal that a login can mend. */
function goesToLogin(
  error: unknown,
  { headers }: FastifyRequest,
  { method, mayRedirect }: Original,
): boolean {
  const isNavigation = method === 'GET' && /\btext\/html\b/i.test(headers.accept ?? '')
  return mayRedirect && isNavigation && error instanceof Refusal && error.statusCode === 401
}

/** With the way back, as path and query; none where these could be read as another origin. */
function loginUrl(page: string, target: JudgedTarget): string {
  if (!target.ok) return page
  return `${page}${page.includes('?') ? '&' : '?'}next=${encodeURIComponent(withoutQueryTokens(target.raw))}`
}
