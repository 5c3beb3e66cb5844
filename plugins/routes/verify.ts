import { METHODS } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Admission } from '../../src/token/admission.js'
import type { GatewaySettings } from '../../src/config.js'
import { PortcullisError } from '../../src/errors.js'
import { createPeerCheck, readOriginal } from '../../src/gateway/original-request.js'
import { isNavigation, loginUrl } from '../../src/gateway/login-redirect.js'
import { identityValue } from '../../src/gateway/header-rules.js'
import { collectLaxities } from '../../src/gateway/lax-target.js'
import { checkTarget, rawTarget } from '../../src/gateway/request-target.js'
import { withoutDefaultPort } from '../../src/host.js'
import { changesState, isHandshake } from '../../src/token/csrf.js'
import type { BrowserHeaders } from '../../src/token/csrf.js'
import { peerAddress } from '../client-address.js'
import type { Core } from '../../src/app/core.js'
import { HIDDEN } from './context.js'
import { identityRefused } from '../gateway/gate.js'
import type { RouteQuery, Gate } from '../gateway/gate.js'
import { preflightMethod } from '../gateway/preflight.js'
import { FastifyRequestFacts, reportAdmission } from '../request-facts.js'

/** The parts of the gateway that forward-auth uses. They don't exist in a host's application. */
export interface Front {
  readonly gate: Gate
  readonly settings: Pick<GatewaySettings, 'listen' | 'limits' | 'workers'>
}

/** The original request of a forward-auth check. */
interface Original extends RouteQuery {
  readonly host: string | undefined
  /** True if a browser without a session may be redirected to the login page (`?mode=redirect`). */
  readonly mayRedirect: boolean
}

/**
 * Adds `/auth/verify` for forward-auth, with any method and path suffix. It responds with 200 and the identity headers
 * if the request may pass, else with the error. It reads no body and sets no cookie.
 *
 * In the gateway, a check from a trusted proxy (`listen.trustProxy`) is about the original request, and the route table
 * decides. Only the access token is verified if the check describes no original request, for any other peer, and in a
 * host's application.
 */
export function verifyRoute(app: FastifyInstance, core: Core, front?: Front): void {
  // Envoy sends the check with the method of the original request. A host's application keeps its own methods.
  const unknown = front ? METHODS.filter((method) => !app.supportedMethods.includes(method)) : []
  for (const method of unknown) app.addHttpMethod(method)

  const isListed = createPeerCheck(front?.settings.listen.trustProxy ?? [])
  const readOriginalRequest = front && createOriginalReader(`${core.settings.prefix}/verify`, front)
  const { page, origins = [] } = typeof core.settings.login === 'function' ? {} : core.settings.login
  const onRequest = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const isTrusted = isListed(peerAddress(request))
    const original = isTrusted ? readOriginalRequest?.(request) : undefined
    try {
      const admission = await (original
        ? admitOriginal(front!.gate, request, original)
        : admitToken(core, request))
      // The response goes to a proxy, which usually passes no cookies on. The token of a cookie must not become readable
      // for scripts, so it comes in no header instead.
      const renewed = admission.transport === 'cookie' ? undefined : admission.renewed
      reportAdmission({ ...admission, clearedCookies: undefined, renewed }, reply)
      const { auth } = admission
      if (!auth) return reply.send()
      const { build, withoutProof } = core.identity
      return reply.headers(identityHeaders(isTrusted ? build(auth) : withoutProof(auth))).send()
    } catch (error) {
      const isAnonymous = error instanceof PortcullisError && error.statusCode === 401
      if (!original?.mayRedirect || page === undefined || !isAnonymous) throw error
      const location =
        isNavigation(original.method, request.headers) &&
        loginUrl(page, original.target, findOrigin(request, original, origins))
      if (!location) throw error
      return reply.code(302).header('location', location).send()
    }
  }
  for (const url of ['/verify', '/verify/*']) app.all(url, { onRequest, schema: HIDDEN }, () => undefined)
}

/**
 * Returns a function that reads the original request from a check of a trusted proxy. It returns `undefined` if the
 * check doesn't describe one.
 */
function createOriginalReader(path: string, { gate, settings }: Front) {
  const limits = { target: settings.limits.target, allowed: collectLaxities(gate.routes) }
  const isStandard = settings.listen.trustHeaders === 'forwarded'
  return (request: FastifyRequest): Original | undefined => {
    const { method: checkMethod, raw, query, headers } = request
    // `TrustedProxies` has put the host of `Forwarded` there.
    const forwarded = isStandard ? { host: headers['x-forwarded-host'] as string | undefined } : undefined
    const check = { method: checkMethod, url: raw.url!, rawHeaders: raw.rawHeaders, forwarded }
    const original = readOriginal(check, path)
    if (original.kind === 'untold') return undefined
    if (original.kind === 'unclear') throw new PortcullisError('invalid_request', { detail: original.detail })
    const { method, target, host, by } = original
    const mayRedirect = by === 'headers' && (query as Record<string, unknown>)['mode'] === 'redirect'
    return { method, target: checkTarget(target, limits), host, mayRedirect }
  }
}

/** Facts of an original request. Headers and address come from the check, the rest from the original request. */
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

  /** The connection of the check may use TLS although that of the client doesn't. */
  override get isSecure(): boolean {
    return this.#request.headers['x-forwarded-proto'] === 'https'
  }

  override get isUpgrade(): boolean {
    return isUpgrade(this.#request)
  }
}

/**
 * Decides about the original request as if the gateway had received it.
 *
 * @throws {PortcullisError} or rejects with it
 */
function admitOriginal(
  gate: Gate,
  request: FastifyRequest,
  original: Original,
): Admission | Promise<Admission> {
  const { method, host, target } = original
  const match = gate.find({
    ...original,
    preflightFor: preflightMethod({ method, headers: request.headers }),
  })
  const facts = new OriginalFacts(request, { method, host, target: rawTarget(target) })
  return gate.admit(facts, match, target)
}

/** Decides about the presented token as the guard `authenticate` does. */
function admitToken(core: Core, request: FastifyRequest): Admission | Promise<Admission> {
  // nginx sends every check with GET. Browsers send `Origin` with each cross-site request that may change state, so a
  // request with `Origin` is treated as a POST, and gets the cross-site check.
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

/** Returns true for any `Upgrade`, because the gateway can't know how the proxy handles one other than `websocket`. */
function isUpgrade({ headers }: FastifyRequest): boolean {
  return headers.upgrade !== undefined || isHandshake(headers)
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

/**
 * Returns the origin of the original request if it is listed (`login.origins`), else an empty string. A client may choose
 * its host, so any other origin would make an open redirect.
 */
function findOrigin({ headers }: FastifyRequest, { host }: Original, origins: readonly string[]): string {
  const protocol = headers['x-forwarded-proto'] === 'https' ? 'https:' : 'http:'
  const origin = `${protocol}//${withoutDefaultPort(host?.toLowerCase() ?? '', protocol)}`
  return origins.find((listed) => listed === origin) ?? ''
}
