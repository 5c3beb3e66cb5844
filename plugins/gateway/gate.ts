import type { Admission, Admitter, RequestFacts, Requirements } from '../../src/token/admission.js'
import type { GatewaySettings, RouteSettings } from '../../src/config.js'
import { addressKey } from '../client-address.js'
import { PortcullisError } from '../../src/errors.js'
import { compileFoldedRoutes, compileRoutes } from '../../src/gateway/routes.js'
import type { RouteTable } from '../../src/gateway/routes.js'
import type { PagePaths } from '../../src/own-paths.js'
import type { CheckedTarget } from '../../src/gateway/request-target.js'
import type { OnOutage } from '../../src/revocation/denylist.js'
import { mustHide } from '../../src/token/hidden-refusal.js'
import type { Core } from '../../src/app/core.js'
import type { RouteLimiters } from './route-limits.js'

/** A route of the route table with its defaults filled in, and what it requires of a request. */
export interface GateRoute extends RouteSettings {
  readonly onOutage: OnOutage
  readonly requirements: Requirements
  /** What a preflight must meet if the upstream answers it (`cors: upstream`). Browsers send it without a token. */
  readonly preflightRequirements: Requirements
}

/** The route that covers a request, and what the request must meet. */
export interface RouteMatch {
  readonly route: GateRoute
  readonly requirements: Requirements
}

/** Method and request target of a request, or of the original request of a forward-auth check. */
export interface RouteQuery {
  readonly method: string
  readonly target: CheckedTarget
  /** The host that the client sent the request to; `undefined` if unknown. */
  readonly host: string | undefined
  /** The `Host` of a request that will be forwarded. It differs from `host` if a listed proxy reports another one. */
  readonly ownHost?: string | undefined
  /** The method of the request that will follow, if this one is a preflight (see `preflightMethod`). */
  readonly preflightFor?: string | undefined
}

type RefusedTarget = Extract<CheckedTarget, { ok: false }>

/**
 * The route table together with admission. Finds the route of a request, and decides whether the request may pass. Used
 * by the reverse proxy, WebSocket upgrades and forward-auth.
 */
export class Gate {
  readonly #admitter: Admitter
  readonly #prefix: string
  /** The paths of the gateway's pages, which are never forwarded. */
  readonly pages: PagePaths
  readonly #routes: readonly GateRoute[]
  readonly #table: RouteTable<GateRoute>
  readonly #folded: RouteTable<GateRoute>

  constructor(core: Core, { routes, prefix, pages, revocation }: GatewaySettings, limiters: RouteLimiters) {
    this.#admitter = core.admitter
    this.#prefix = prefix
    this.pages = pages
    this.#routes = routes.map((route) => toGateRoute(route, revocation.onOutage, limiters))
    this.#table = compileRoutes(this.#routes)
    this.#folded = compileFoldedRoutes(this.#routes)
  }

  /** All routes with defaults filled in, in the order of the settings. */
  get routes(): readonly GateRoute[] {
    return this.#routes
  }

  /**
   * Finds the route that covers a request. A preflight belongs to the route of the request that will follow, if the
   * upstream of that route answers preflights. Other preflights are covered like any OPTIONS request.
   *
   * @throws {PortcullisError} `not_found` if no route covers it, `target_refused` if its request target is ambiguous,
   *   `invalid_request` if the upstream would receive a `Host` that leads to another route
   */
  find(query: RouteQuery): RouteMatch {
    const { preflightFor } = query
    if (preflightFor !== undefined) {
      const next = { ...query, method: preflightFor }
      const route = this.#tryFind(next)
      if (route?.cors === 'upstream') {
        this.#checkHosts(next, route)
        return { route, requirements: route.preflightRequirements }
      }
    }
    const route = this.#find(query)
    this.#checkHosts(query, route)
    return { route, requirements: route.requirements }
  }

  #checkHosts(query: RouteQuery, route: GateRoute): void {
    const { host, ownHost } = query
    // One of the two hosts may come from the client, because many proxies set only one of them.
    const isForwarded = ownHost !== undefined && ownHost !== host && route.host === 'keep'
    if (!isForwarded) return
    const other = this.#tryFind({ ...query, host: ownHost })
    if (other === route) return
    throw route.hidden || other?.hidden ? hideError(otherHost(), query.target) : otherHost()
  }

  #tryFind(query: RouteQuery): GateRoute | undefined {
    try {
      return this.#find(query)
    } catch (error) {
      if (error instanceof PortcullisError) return undefined
      throw error
    }
  }

  #find({ method, target, host }: RouteQuery): GateRoute {
    if (!target.ok) return this.#findLax(method, target, host)
    const route = this.#findCovering(method, target, target.match, host)
    if (!route) throw noRoute()
    return route
  }

  /**
   * Finds the route of a request target that servers may read in several ways. All readings must lead to the same
   * route, and the route must allow such targets (`targetAllow`). Otherwise a request could pass a less strict route
   * and reach a stricter one.
   */
  #findLax(method: string, target: RefusedTarget, host: string | undefined): GateRoute {
    const { lax, reason } = target
    const [route, ...others] =
      lax?.readings.map((reading) => this.#findCovering(method, target, reading, host)) ?? []
    const isAllowed =
      lax !== undefined &&
      route !== undefined &&
      others.every((other) => other === route) &&
      lax.needs.every((laxity) => route.targetAllow.includes(laxity))
    if (!isAllowed) throw targetRefused(reason)
    return route
  }

  /**
   * Finds the route that covers a path. Many servers ignore letter case: to them `/Admin` is `/admin`. A path that leads
   * to another route when it is read so is refused, unless that route's upstream tells the two apart.
   */
  #findCovering(
    method: string,
    target: CheckedTarget,
    match: string,
    host: string | undefined,
  ): GateRoute | undefined {
    const isOwnPath = match === this.#prefix || match.startsWith(`${this.#prefix}/`)
    if (isOwnPath) return undefined
    const route = this.#table.find(method, match, host)
    const folded = this.#folded.find(method, match, host)
    if (folded === undefined || folded === route || folded.caseSensitive) return route
    const error = targetRefused('letter_case')
    throw folded.hidden ? hideError(error, target) : error
  }

  /**
   * Decides whether a request may pass its route, and counts it if the route has a rate limit. A hidden route refuses as
   * if no route covered the target.
   *
   * @throws {PortcullisError} or rejects with it, see `Admitter.admit`
   */
  admit(
    facts: RequestFacts,
    { route, requirements }: RouteMatch,
    target: CheckedTarget,
  ): Admission | Promise<Admission> {
    if (!route.hidden) return this.#admitter.admit(facts, requirements)
    const refuse = (error: unknown): never => {
      throw mustHide(error) ? hideError(error, target) : error
    }
    try {
      const admission = this.#admitter.admit(facts, requirements)
      return admission instanceof Promise ? admission.catch(refuse) : admission
    } catch (error) {
      return refuse(error)
    }
  }
}

/** Fills in the defaults of a route, and derives its requirements. */
function toGateRoute(route: RouteSettings, defaultOnOutage: OnOutage, limiters: RouteLimiters): GateRoute {
  const onOutage = route.onOutage ?? defaultOnOutage
  const { auth, scope, rateLimit } = route
  const limit = rateLimit && {
    by: rateLimit.by,
    countAddress: (address: string) => limiters.count(route, `address:${addressKey(address)}`),
    countSubject: (sub: string) => limiters.count(route, `sub:${sub}`),
  }
  const requirements: Requirements = { auth, scope, onOutage, rateLimit: limit }
  return {
    ...route,
    onOutage,
    requirements,
    preflightRequirements: { ...requirements, auth: 'none', scope: [] },
  }
}

/**
 * Returns the error for a request that no route covers.
 *
 * @param cause The error that a hidden route replaces with this one. It is logged, never sent.
 */
export function noRoute(cause?: PortcullisError): PortcullisError {
  return new PortcullisError('not_found', { detail: 'No route covers this path, method and host.', cause })
}

/** Returns the error that the request would get if its hidden route didn't exist. */
function hideError(error: PortcullisError, target: CheckedTarget): PortcullisError {
  return target.ok ? noRoute(error) : targetRefused(target.reason, error)
}

function otherHost(): PortcullisError {
  return new PortcullisError('invalid_request', {
    detail:
      'Host leads to another route than the host that the proxy reports. Let the proxy send the same host in both, or set "host: upstream" for the route.',
    reason: 'host',
    headers: { connection: 'close' },
  })
}

/**
 * Returns the error for a request target that servers may read in different ways.
 *
 * @param cause The error that a hidden route replaces with this one. It is logged, never sent.
 */
export function targetRefused(reason: string, cause?: PortcullisError): PortcullisError {
  return new PortcullisError('target_refused', {
    detail: 'The path or the query is ambiguous: servers may read it in different ways.',
    reason,
    cause,
    headers: { connection: 'close' },
  })
}

/** Returns the error for a valid token with a claim that can't be sent to an upstream unchanged. */
export function identityRefused(): PortcullisError {
  return new PortcullisError('token_invalid', {
    detail: 'A claim of the token cannot be sent in a header.',
    reason: 'identity_value',
  })
}
