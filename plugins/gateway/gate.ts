import type { Admission, Admitter, RequestFacts, Requirements } from '../../src/token/admission.js'
import type { GatewaySettings, RouteSettings } from '../../src/config.js'
import { PortcullisError } from '../../src/errors.js'
import { compileRoutes } from '../../src/gateway/routes.js'
import type { RouteTable } from '../../src/gateway/routes.js'
import type { CheckedTarget } from '../../src/gateway/request-target.js'
import type { OnOutage } from '../../src/revocation/denylist.js'
import type { Core } from '../core.js'
import { addressKey } from '../rate-limit.js'
import type { RouteLimiters } from './route-limits.js'

/** A route as the gate knows it. */
export interface GateRoute extends RouteSettings {
  readonly onOutage: OnOutage
  readonly requirements: Requirements
}

/** What is asked for, wherever it was read: of the request itself, or of what a proxy in front says about it. */
export interface RouteQuery {
  readonly method: string
  readonly target: CheckedTarget
}

type RefusedTarget = Extract<CheckedTarget, { ok: false }>

/**
 * Decides for the gateway's routes: which one covers a request, and whether it may pass. The reverse proxy, its
 * upgrades and forward-auth all ask here.
 */
export class Gate {
  readonly #admitter: Admitter
  readonly #prefix: string
  readonly #routes: readonly GateRoute[]
  readonly #table: RouteTable<GateRoute>

  constructor(core: Core, { routes, prefix, revocation }: GatewaySettings, limiters: RouteLimiters) {
    this.#admitter = core.admitter
    this.#prefix = prefix
    this.#routes = routes.map((route) => toGateRoute(route, revocation.onOutage, limiters))
    this.#table = compileRoutes(this.#routes)
  }

  /** With every default filled in, in the order of the settings. */
  get routes(): readonly GateRoute[] {
    return this.#routes
  }

  /**
   * The route that covers what is asked.
   *
   * @throws {PortcullisError} `not_found`, `target_refused`
   */
  find({ method, target }: RouteQuery): GateRoute {
    if (!target.ok) return this.#findLax(method, target)
    const route = this.#covering(method, target.match)
    if (!route) throw new PortcullisError('not_found', { detail: 'No route covers this path and method.' })
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
   * Decides whether a request may pass the route, and who it is from. Counts it where the route has a limit.
   *
   * @throws {PortcullisError} or rejects with it: see `Admitter.admit`
   */
  admit(facts: RequestFacts, { requirements }: GateRoute): Admission | Promise<Admission> {
    return this.#admitter.admit(facts, requirements)
  }
}

/** Fills in the defaults of a route, and says what it demands of a request. */
function toGateRoute(route: RouteSettings, defaultOnOutage: OnOutage, limiters: RouteLimiters): GateRoute {
  const onOutage = route.onOutage ?? defaultOnOutage
  const { auth, scope, rateLimit } = route
  const limit = rateLimit && {
    by: rateLimit.by,
    countAddress: (address: string) => limiters.count(route, `address:${addressKey(address)}`),
    countSubject: (sub: string) => limiters.count(route, `sub:${sub}`),
  }
  return { ...route, onOutage, requirements: { auth, scope, onOutage, rateLimit: limit } }
}

/** What must not be routed, as servers would read it differently. */
export function targetRefused(reason: string): PortcullisError {
  return new PortcullisError('target_refused', {
    detail: 'The path or the query has something that servers read differently.',
    reason,
    headers: { connection: 'close' },
  })
}

/** The token is good, but an upstream would be told something else than it says. */
export function identityRefused(): PortcullisError {
  return new PortcullisError('token_invalid', {
    detail: 'A claim of it cannot be sent in a header.',
    reason: 'identity_value',
  })
}
