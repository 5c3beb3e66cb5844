import { METHODS } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Admission } from '../../src/token/admission.js'
import type { GatewaySettings } from '../../src/config.js'
import { PortcullisError } from '../../src/errors.js'
import { createPeerCheck, readOriginal } from '../../src/gateway/original-request.js'
import { identityValue } from '../../src/gateway/header-rules.js'
import { checkTarget, rawTarget } from '../../src/gateway/request-target.js'
import type { CheckedTarget } from '../../src/gateway/request-target.js'
import { changesState } from '../../src/token/csrf.js'
import { withoutQueryTokens } from '../../src/token/query-token.js'
import type { BrowserHeaders } from '../../src/token/csrf.js'
import type { Core } from '../core.js'
import { identityRefused } from '../gateway/gate.js'
import type { RouteQuery, Gate } from '../gateway/gate.js'
import { FastifyRequestFacts, reportAdmission } from '../request-facts.js'

/** What the gateway knows, and a host's own application doesn't. */
export interface Front {
  readonly gate: Gate
  readonly settings: Pick<GatewaySettings, 'listen' | 'limits' | 'workers'>
}

interface Original extends RouteQuery {
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

  const isListed = createPeerCheck(front?.settings.listen.trustProxy ?? [])
  const originalOf = front && createOriginalReader(`${core.settings.prefix}/verify`, front.settings.limits)
  const page = typeof core.settings.login === 'function' ? undefined : core.settings.login.page
  const onRequest = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const isTrusted = isListed(request.raw.socket.remoteAddress)
    const original = isTrusted ? originalOf?.(request) : undefined
    try {
      const admission = await (original
        ? admitOriginal(front!.gate, request, original)
        : admitToken(core, request))
      reportAdmission(admission, reply)
      const { auth } = admission
      if (!auth) return reply.send()
      const { build, withoutProof } = core.identity
      return reply.headers(identityHeaders(isTrusted ? build(auth) : withoutProof(auth))).send()
    } catch (error) {
      if (!original || page === undefined || !goesToLogin(error, request, original)) throw error
      return reply.code(302).header('location', loginUrl(page, original.target)).send()
    }
  }
  for (const url of ['/verify', '/verify/*']) app.all(url, { onRequest }, () => undefined)
}

/** The request that a check of a listed peer is about; undefined where it doesn't say. */
function createOriginalReader(path: string, limits: Front['settings']['limits']) {
  return (request: FastifyRequest): Original | undefined => {
    const { raw, query } = request
    const original = readOriginal({ method: request.method, url: raw.url!, rawHeaders: raw.rawHeaders }, path)
    if (original.kind === 'untold') return undefined
    if (original.kind === 'unclear') throw new PortcullisError('invalid_request', { detail: original.detail })
    const { method, target, host, by } = original
    const mayRedirect = by === 'headers' && (query as Record<string, unknown>)['mode'] === 'redirect'
    return { method, target: checkTarget(target, limits), host, mayRedirect }
  }
}

/** A check as the request that it asks about: the check's own headers and address, but another method and target. */
class OriginalFacts extends FastifyRequestFacts {
  readonly #original: { readonly method: string; readonly host: string | undefined; readonly target: string }
  readonly #request: FastifyRequest

  constructor(
    request: FastifyRequest,
    original: { method: string; host: string | undefined; target: string },
  ) {
    super(request)
    this.#request = request
    this.#original = original
  }

  override get method(): string {
    return this.#original.method
  }

  override get target(): string {
    return this.#original.target
  }

  override get headers(): BrowserHeaders {
    return { ...this.#request.headers, host: this.#original.host }
  }

  override get isUpgrade(): boolean {
    return isUpgrade(this.#request)
  }
}

/** Decides as the gateway would if the original request were its own. */
function admitOriginal(
  gate: Gate,
  request: FastifyRequest,
  original: Original,
): Admission | Promise<Admission> {
  const route = gate.find(original)
  const { method, host, target } = original
  return gate.admit(new OriginalFacts(request, { method, host, target: rawTarget(target) }), route)
}

/** Decides as the guard `authenticate` would. */
function admitToken(core: Core, request: FastifyRequest): Admission | Promise<Admission> {
  // nginx asks by GET whatever the original's method is. A page of another site can't leave `Origin` out when it
  // changes something.
  const mayChange = changesState(request.method) || request.headers.origin !== undefined || isUpgrade(request)
  const method = mayChange ? 'POST' : 'GET'
  const { target } = new FastifyRequestFacts(request)
  const facts = new OriginalFacts(request, { method, host: request.host, target })
  return core.admitter.admit(facts, {
    auth: 'required',
    scope: [],
    onOutage: core.settings.revocation.onOutage,
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
  return mayRedirect && isNavigation && error instanceof PortcullisError && error.statusCode === 401
}

/** With the way back, as path and query; none where these could be read as another origin. */
function loginUrl(page: string, target: CheckedTarget): string {
  if (!target.ok) return page
  return `${page}${page.includes('?') ? '&' : '?'}next=${encodeURIComponent(withoutQueryTokens(target.raw))}`
}
