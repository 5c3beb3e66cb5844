import { finished } from 'node:stream'
import type { FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify'
import type { Admission, Admitter, Requirements } from '../src/token/admission.js'
import type { OnOutage } from '../src/revocation/denylist.js'
import { PortcullisError } from '../src/errors.js'
import { NEXT_LIMITS } from '../src/gateway/login-redirect.js'
import { checkTarget } from '../src/gateway/request-target.js'
import { mustHide } from '../src/token/hidden-refusal.js'
import type { Auth } from '../src/token/auth.js'
import { PLAIN_REFUSALS, parseRefusalOptions, parseRefusals, parseScopeNeeds } from './guard-options.js'
import type { GuardNeeds, RefusalOptions, RefusalSettings } from './guard-options.js'
import { sendError, toPortcullisError } from './problem-details.js'
import { redirectToLogin } from './redirect-to-login.js'
import { FastifyRequestFacts, reportAdmission } from './request-facts.js'
import { isOwnRoute } from './routes/context.js'

declare module 'fastify' {
  interface FastifyInstance {
    /**
     * See `Guards.authenticate`. Prefer the import: this decorator is missing until the plugin is registered. The option
     * `decorators.authenticate` changes its name.
     */
    authenticate: Guards['authenticate']
    /**
     * See `Guards.authorize`. Prefer the import: this decorator is missing until the plugin is registered. The option
     * `decorators.authorize` changes its name.
     */
    authorize: Guards['authorize']
  }
  interface FastifyRequest {
    /**
     * The verified access token. `null` before a guard has run, and for an anonymous request. The option
     * `decorators.auth` changes its name.
     */
    auth: Auth | null
  }
}

/**
 * Hooks that guard routes. Prefer `onRequest` to `preHandler`, because it runs before the body is read. As a hook of a
 * whole application, they let Portcullis' own routes pass, such as `POST /auth/login`.
 */
export interface Guards {
  /**
   * Admits requests with a valid access token, and sets `request.auth`. Refuses other requests with 401.
   *
   * @example
   * ```ts
   * app.get('/me', { onRequest: authenticate }, async (request) => request.auth)
   * ```
   */
  readonly authenticate: Guard & {
    /**
     * Also admits requests without a token, with `request.auth` set to `null`. So it does with a cookie whose token has
     * expired or whose session has ended, because browsers send cookies without being asked. Any other bad token is 401.
     */
    readonly optional: Guard
    /**
     * Returns a guard that admits the same requests as `authenticate`, and refuses others as the options say.
     *
     * @example
     * ```ts
     * app.get('/reports', { onRequest: authenticate.with({ onAnonymous: 'redirect', loginPage: '/login' }) }, showReports)
     * ```
     *
     * @throws {TypeError} at once, if an option is invalid or there is no login page to redirect to
     */
    with(options: RefusalOptions): Guard
  }
  /**
   * Returns a guard that does what `authenticate` does, and refuses with 403 unless the token has every `scope` and
   * at least one `anyScope`.
   *
   * @example
   * ```ts
   * app.get('/admin', { onRequest: authorize({ scope: 'admin' }) }, async () => 'welcome')
   * // Whoever may not see it gets 404.
   * app.get('/audit', { onRequest: authorize({ scope: 'audit', hidden: true }) }, async () => 'welcome')
   * ```
   *
   * @throws {TypeError} at once, if `needs` names no scope, or an option is invalid
   */
  authorize(needs: GuardNeeds): Guard
}

type Done = (error?: Error) => void

/**
 * A Fastify hook. A host can also await it in its own hook. The promise rejects if the request is refused, so the code
 * after the `await` doesn't run. By then the response was sent, unless the option `refusals` is `throw`.
 */
export interface Guard {
  (request: FastifyRequest, reply: FastifyReply): Promise<void>
  (request: FastifyRequest, reply: FastifyReply, done: Done): void
}

export interface GuardDependencies {
  readonly admitter: Admitter
  /** `answer` sends the error as problem+json. `throw` passes it to the host's error handler. */
  readonly refusals: 'answer' | 'throw'
  readonly onOutage: OnOutage
  /** The login page of the settings, to which guards with `onAnonymous: 'redirect'` send browsers. */
  readonly loginPage: string | undefined
  /** The property of a request that has the verified token. */
  readonly authProperty: AuthProperty
}

/** `auth`, or the name that the host has chosen. A symbol if the host wants none. */
export type AuthProperty = 'auth'

/** The guard of Portcullis' own routes. */
export interface OwnGuard {
  readonly authenticate: Guard
  /** Returns the verified token of a request that `authenticate` has admitted. */
  authOf(request: FastifyRequest): Auth
}

export function createGuards(dependencies: GuardDependencies): Guards {
  const { onOutage } = dependencies
  const guard = (requirements: Omit<Requirements, 'onOutage'>, refusals = PLAIN_REFUSALS): Guard => {
    const guarded = createGuard({ ...requirements, onOutage }, dependencies, withPage(refusals, dependencies))
    return toHook((request, reply, done, responded) => {
      // A hook of the whole application must not refuse a login because it has no token.
      if (isOwnRoute(request)) return done()
      guarded(request, reply, done, responded)
    })
  }
  return {
    authenticate: Object.assign(guard({ auth: 'required', scope: [] }), {
      optional: guard({ auth: 'optional', scope: [] }),
      with: (options: RefusalOptions) => guard({ auth: 'required', scope: [] }, parseRefusalOptions(options)),
    }),
    authorize: (needs) =>
      guard({ auth: 'required', ...parseScopeNeeds(needs) }, parseRefusals('authorize', needs)),
  }
}

/** Fills in the login page of the settings. */
function withPage(refusals: RefusalSettings, { loginPage }: GuardDependencies): RefusalSettings {
  if (!refusals.redirect || refusals.loginPage !== undefined) return refusals
  if (loginPage === undefined)
    throw new TypeError(
      "onAnonymous: 'redirect' needs a login page; pass loginPage: '/login', or set login.page of the plugin",
    )
  return { ...refusals, loginPage }
}

export function createOwnGuard(dependencies: GuardDependencies): OwnGuard {
  const { onOutage, authProperty } = dependencies
  return {
    authenticate: toHook(
      createGuard({ auth: 'required', scope: [], onOutage }, dependencies, PLAIN_REFUSALS),
    ),
    authOf: (request) => request[authProperty]!,
  }
}

/**
 * A guard with callbacks.
 *
 * @param done Fastify's callback, or one that settles the guard's promise.
 * @param responded Called after the guard has sent an error response.
 */
type CallbackGuard = (request: FastifyRequest, reply: FastifyReply, done: Done, responded?: Done) => void

function createGuard(
  requirements: Requirements,
  { admitter, refusals, authProperty }: GuardDependencies,
  { hidden, loginPage }: RefusalSettings,
): CallbackGuard {
  const accept = (request: FastifyRequest, reply: FastifyReply, admission: Admission): void => {
    reportAdmission(admission, reply)
    request[authProperty] = admission.auth
  }
  const refuse = (
    error: unknown,
    request: FastifyRequest,
    reply: FastifyReply,
    callbacks: Callbacks,
  ): void => {
    if (hidden && mustHide(error)) return hide(error, request, reply, callbacks)
    const portcullisError = toPortcullisError(error)
    if (loginPage !== undefined) {
      const facts = new FastifyRequestFacts(request)
      const target = checkTarget(facts.target, NEXT_LIMITS)
      if (redirectToLogin(request, reply, { error, facts, target, page: loginPage, admitter }))
        return callbacks.responded?.(portcullisError)
    }
    if (refusals === 'throw') return callbacks.done(portcullisError)
    sendError(request, reply, portcullisError)
    callbacks.responded?.(portcullisError)
  }
  const hide = (
    error: PortcullisError,
    request: FastifyRequest,
    reply: FastifyReply,
    { done, responded }: Callbacks,
  ): void => {
    if (refusals === 'throw') return done(new PortcullisError('not_found', { cause: error }))
    // A hook of the whole application also runs for a request without a route, which gets the 404 anyway.
    if (request.is404) return done()
    reply.callNotFound()
    if (responded === undefined) return
    // The host's handler may send its response later. Until then, Fastify would send the error that ends the promise.
    finished(reply.raw, () => responded(error))
  }
  // Creates no promise if admission is synchronous, because this runs on every guarded request.
  return (request, reply, done, responded) => {
    let admission: Admission | Promise<Admission>
    try {
      admission = admitter.admit(new FastifyRequestFacts(request), requirements)
      if (!(admission instanceof Promise)) accept(request, reply, admission)
    } catch (error) {
      return refuse(error, request, reply, { done, responded })
    }
    if (!(admission instanceof Promise)) return done()
    admission
      .then((late) => accept(request, reply, late))
      .then(
        () => done(),
        (error: unknown) => refuse(error, request, reply, { done, responded }),
      )
  }
}

/** Returns the guard as a hook that Fastify calls with a callback and a host can await. */
function toHook(guard: CallbackGuard): Guard {
  return ((request: FastifyRequest, reply: FastifyReply, done?: Done) => {
    // Called by Fastify, which detects that the guard has sent a response.
    if (done) return guard(request, reply, done)
    return new Promise<void>((resolve, reject) => {
      guard(request, reply, (error) => (error ? reject(error) : resolve()), reject)
    })
  }) as onRequestHookHandler as Guard
}

/** Callbacks of a guard. */
interface Callbacks {
  readonly done: Done
  readonly responded: Done | undefined
}
