import type { FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify'
import type { Admission, Admitter, Requirements } from '../src/token/admission.js'
import type { OnOutage } from '../src/revocation/denylist.js'
import type { Auth } from '../src/token/token-verifier.js'
import { sendError, toPortcullisError } from './problem-details.js'
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
  }
  /**
   * Returns a guard that does what `authenticate` does, and refuses with 403 unless the token has every `scope` and
   * at least one `anyScope`.
   *
   * @example
   * ```ts
   * app.get('/admin', { onRequest: authorize({ scope: 'admin' }) }, async () => 'welcome')
   * ```
   *
   * @throws {TypeError} at once, if `needs` names no scope
   */
  authorize(needs: ScopeNeeds): Guard
}

/** Scopes that a token must have. Each field is a list, or a text with spaces between scopes (RFC 6749 §3.3). */
export interface ScopeNeeds {
  /** The token needs all of these scopes. */
  readonly scope?: string | readonly string[]
  /** The token needs at least one of these scopes. */
  readonly anyScope?: string | readonly string[]
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
  const guard = (requirements: Omit<Requirements, 'onOutage'>): Guard => {
    const guarded = createGuard({ ...requirements, onOutage }, dependencies)
    return toHook((request, reply, done, responded) => {
      // A hook of the whole application must not refuse a login because it has no token.
      if (isOwnRoute(request)) return done()
      guarded(request, reply, done, responded)
    })
  }
  return {
    authenticate: Object.assign(guard({ auth: 'required', scope: [] }), {
      optional: guard({ auth: 'optional', scope: [] }),
    }),
    authorize: (needs) => guard({ auth: 'required', ...parseScopeNeeds(needs) }),
  }
}

export function createOwnGuard(dependencies: GuardDependencies): OwnGuard {
  const { onOutage, authProperty } = dependencies
  return {
    authenticate: toHook(createGuard({ auth: 'required', scope: [], onOutage }, dependencies)),
    authOf: (request) => request[authProperty]!,
  }
}

/**
 * Returns the scopes as lists. Checks at run time too, because a host in plain JavaScript has no type checks.
 *
 * @throws {TypeError} if `needs` has an unknown field, an invalid scope, or no scope, which would admit every token
 */
export function parseScopeNeeds(needs: ScopeNeeds): Pick<Requirements, 'scope' | 'anyScope'> {
  if (typeof needs === 'string' || Array.isArray(needs))
    throw new TypeError("authorize: name the scopes in a field, as in authorize({ scope: 'admin' })")
  const unknown = Object.keys(needs ?? {}).filter((name) => name !== 'scope' && name !== 'anyScope')
  if (unknown.length > 0)
    throw new TypeError(`authorize: unknown field ${unknown.join(', ')}; use scope or anyScope`)
  const scope = parseScopes('scope', needs?.scope)
  const anyScope = parseScopes('anyScope', needs?.anyScope)
  if (scope === undefined && anyScope === undefined)
    throw new TypeError("authorize: no scope given; write authorize({ scope: 'admin' }), for example")
  return { scope: scope ?? [], anyScope }
}

function parseScopes(name: string, given: string | readonly string[] | undefined): string[] | undefined {
  if (given === undefined) return undefined
  const scopes = typeof given === 'string' ? given.split(' ').filter((one) => one !== '') : [...given]
  if (scopes.length > 0 && scopes.every((one) => typeof one === 'string' && /^[!#-[\]-~]+$/.test(one)))
    return scopes
  throw new TypeError(
    `authorize: ${name} must be a list of scopes, or a text with spaces between them (RFC 6749 §3.3)`,
  )
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
    const portcullisError = toPortcullisError(error)
    if (refusals === 'throw') return callbacks.done(portcullisError)
    sendError(request, reply, portcullisError)
    callbacks.responded?.(portcullisError)
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
