import type { FastifyReply, FastifyRequest } from 'fastify'
import type { GatewaySettings, RouteSettings } from '../src/config.js'
import { Refusal } from '../src/errors.js'
import { compileRoutes } from '../src/gateway/routes.js'
import type { RouteTable } from '../src/gateway/routes.js'
import type { JudgedTarget } from '../src/gateway/target.js'
import type { OnOutage } from '../src/revocation/port.js'
import type { Transport } from '../src/token/bearer.js'
import { refuseCrossSite } from '../src/token/cross-site.js'
import type { Auth } from '../src/verdict.js'
import { checkNeeds, credentialsOf, judge } from './authenticate.js'
import type { GuardPorts } from './authenticate.js'
import { addressOf } from './client.js'
import type { Core } from './core.js'
import { addressKey } from './rate-limit.js'
import type { RouteLimiters } from './route-limits.js'

/** A route as the gate knows it. */
export interface GateRoute extends RouteSettings {
  readonly onOutage: OnOutage
}

/** What is asked for, wherever it was read: of the request itself, or of what a proxy in front says about it. */
export interface Asked {
  readonly method: string
  readonly target: JudgedTarget
}

type RefusedTarget = Extract<JudgedTarget, { ok: false }>

/** Who a request is from, as far as the route wants to know. */
export interface Identified {
  readonly auth: Auth | null
  readonly transport: Transport | undefined
}

/**
 * Decides for the gateway's routes: which one covers a request, and whether it may pass. The reverse proxy, its
 * upgrades and forward-auth all ask here.
 */
export class Gate {
  readonly #core: Core
  readonly #credentials: Pick<GuardPorts, 'transports' | 'origins'>
  readonly #prefix: string
  readonly #routes: readonly GateRoute[]
  readonly #table: RouteTable<GateRoute>
  readonly #limiters: RouteLimiters

  constructor(core: Core, { routes, prefix, revocation }: GatewaySettings, limiters: RouteLimiters) {
    this.#core = core
    this.#credentials = { transports: core.transports, origins: core.settings.cors.origins }
    this.#prefix = prefix
    this.#limiters = limiters
    this.#routes = routes.map((route) => ({ ...route, onOutage: route.onOutage ?? revocation.onOutage }))
    this.#table = compileRoutes(this.#routes)
  }

  /** With every default filled in, in the order of the settings. */
  get routes(): readonly GateRoute[] {
    return this.#routes
  }

  /**
   * The route that covers what is asked.
   *
   * @throws {Refusal} `not_found`, `target_refused`
   */
  find({ method, target }: Asked): GateRoute {
    if (!target.ok) return this.#findLax(method, target)
    const route = this.#covering(method, target.match)
    if (!route) throw new Refusal('not_found', { detail: 'No route covers this path and method.' })
    return route
  }

  /** However it is read, it must lead to one route, which allows it: else a laxer route would open a stricter one. */
  #findLax(method: string, { lax, reason }: RefusedTarget): GateRoute {
    const [route, ...others] = lax?.readings.map((reading) => this.#covering(method, reading)) ?? []
    const isAllowed =
      lax !== undefined &&
      route !== undefined &&
      others.every((other) => other === route) &&
      lax.needs.every((laxity) => route.targetAllow.includes(laxity))
    if (!isAllowed) throw targetRefused(reason)
    return route
  }

  #covering(method: string, match: string): GateRoute | undefined {
    const isOurs = match === this.#prefix || match.startsWith(`${this.#prefix}/`)
    return isOurs ? undefined : this.#table.find(method, match)
  }

  /**
   * Whether a request may pass the route, and who it is from. Counts it where the route has a limit.
   *
   * @throws {Refusal} what the verdict refuses by, `insufficient_scope`, `cross_site_request`, `rate_limited`
   */
  admit(
    request: FastifyRequest,
    reply: FastifyReply,
    route: GateRoute,
    { isUpgrade = false } = {},
  ): Identified | Promise<Identified> {
    if (route.rateLimit !== undefined) return this.#limited(request, reply, route, isUpgrade)
    return this.#identify(request, reply, route, isUpgrade)
  }

  async #limited(
    request: FastifyRequest,
    reply: FastifyReply,
    route: GateRoute,
    isUpgrade: boolean,
  ): Promise<Identified> {
    const address = `address:${addressKey(addressOf(request))}`
    const isBySubject = route.rateLimit?.by === 'subject'
    if (!isBySubject) await this.#count(route, address)
    const identified = await this.#identify(request, reply, route, isUpgrade)
    if (isBySubject) await this.#count(route, identified.auth ? `sub:${identified.auth.sub}` : address)
    return identified
  }

  #count(route: GateRoute, who: string): Promise<void> {
    return this.#limiters.count(route, who).catch((error: unknown) => this.#refuse(error))
  }

  /** Returns at once where the verdict does. */
  #identify(
    request: FastifyRequest,
    reply: FastifyReply,
    { auth: mode, scope, onOutage }: GateRoute,
    isUpgrade: boolean,
  ): Identified | Promise<Identified> {
    const core = this.#core
    if (mode === 'none') return ANONYMOUS
    try {
      const credentials = credentialsOf(request, reply, this.#credentials)
      // A page of any site may open a WebSocket, and the browser adds the cookies.
      if (isUpgrade && credentials?.transport === 'cookie') {
        refuseCrossSite(request.headers, this.#credentials.origins)
      }
      const needs = { isRequired: mode === 'required', scope }
      if (!credentials) {
        checkNeeds(null, needs)
        return ANONYMOUS
      }
      const { token, transport } = credentials
      const admitted = (auth: Auth): Identified => {
        checkNeeds(auth, needs)
        return { auth, transport }
      }
      const auth = judge(token, reply, { verdict: core.verdict, onOutage })
      if (!(auth instanceof Promise)) return admitted(auth)
      return auth.then(admitted).catch((error: unknown) => this.#refuse(error))
    } catch (error) {
      return this.#refuse(error)
    }
  }

  #refuse(error: unknown): never {
    if (error instanceof Refusal) this.#core.metrics.refusal(error.code)
    throw error
  }
}

const ANONYMOUS: Identified = Object.freeze({ auth: null, transport: undefined })

/** What must not be routed, as servers would read it differently. */
export function targetRefused(reason: string): Refusal {
  return new Refusal('target_refused', {
    detail: 'The path or the query has something that servers read differently.',
    reason,
    headers: { connection: 'close' },
  })
}

/** The token is good, but an upstream would be told something else than it says. */
export function identityRefused(): Refusal {
  return new Refusal('token_invalid', {
    detail: 'A claim of it cannot be sent in a header.',
    reason: 'identity_value',
  })
}
