import type { FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify'
import type { Admission, Admitter, Requirements } from '../src/token/admission.js'
import type { OnOutage } from '../src/revocation/denylist.js'
import type { Auth } from '../src/token/token-verifier.js'
import { sendError, toPortcullisError } from './problem-details.js'
import { FastifyRequestFacts, reportAdmission } from './request-facts.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** See `Guards.authenticate`. Prefer the import: this decorator is missing until the plugin is registered. */
    authenticate: Guards['authenticate']
    /** See `Guards.authorize`. Prefer the import: this decorator is missing until the plugin is registered. */
    authorize: Guards['authorize']
  }
  interface FastifyRequest {
    /** Who the request is from, after a guard; `null` for an anonymous request and before any guard. */
    auth: Auth | null
  }
}

/** Guards for routes, as `onRequest` (better, as it runs before the body is read) or `preHandler`. */
export interface Guards {
  readonly authenticate: Guard & {
    /** Admits requests without a token, with `request.auth` null. A bad token is 401 all the same. */
    readonly optional: Guard
  }
  /**
   * As `authenticate`, and 403 unless the token has every `scope` and at least one `anyScope`.
   *
   * @throws {TypeError} at once, for needs that demand no scope
   */
  authorize(needs: ScopeNeeds): Guard
}

/** Scopes that a token must have. Each is a list, or a text with spaces between several (RFC 6749 §3.3). */
export interface ScopeNeeds {
  /** Every one of these. */
  readonly scope?: string | readonly string[]
  /** At least one of these. */
  readonly anyScope?: string | readonly string[]
}

type Done = (error?: Error) => void

/**
 * A hook. In a hook of the host's own it can be awaited: it rejects if the request was refused, so that the code behind
 * it doesn't run. The response has been sent by then, unless `refusals` is `throw`.
 */
export interface Guard {
  (request: FastifyRequest, reply: FastifyReply): Promise<void>
  (request: FastifyRequest, reply: FastifyReply, done: Done): void
}

export interface GuardDependencies {
  readonly admitter: Admitter
  /** `throw` passes the error to the host's error handler. */
  readonly refusals: 'answer' | 'throw'
  readonly onOutage: OnOutage
}

export function createGuards({ admitter, refusals, onOutage }: GuardDependencies): Guards {
  const guard = (requirements: Omit<Requirements, 'onOutage'>) =>
    createGuard(admitter, { ...requirements, onOutage }, refusals)
  return {
    authenticate: Object.assign(guard({ auth: 'required', scope: [] }), {
      optional: guard({ auth: 'optional', scope: [] }),
    }),
    authorize: (needs) => guard({ auth: 'required', ...parseScopeNeeds(needs) }),
  }
}

/** @throws {TypeError} for what a host without types may give, and what would let every token pass */
export function parseScopeNeeds(needs: ScopeNeeds): Pick<Requirements, 'scope' | 'anyScope'> {
  const unknown = Object.keys(needs ?? {}).filter((name) => name !== 'scope' && name !== 'anyScope')
  if (unknown.length > 0) throw new TypeError(`authorize: ${unknown.join(', ')}: it takes scope and anyScope`)
  const scope = parseScopes('scope', needs?.scope)
  const anyScope = parseScopes('anyScope', needs?.anyScope)
  if (scope === undefined && anyScope === undefined)
    throw new TypeError("authorize: name a scope, as in authorize({ scope: 'admin' })")
  return { scope: scope ?? [], anyScope }
}

function parseScopes(name: string, given: string | readonly string[] | undefined): string[] | undefined {
  if (given === undefined) return undefined
  const scopes = typeof given === 'string' ? given.split(' ').filter((one) => one !== '') : [...given]
  if (scopes.length > 0 && scopes.every((one) => typeof one === 'string' && /^[!#-[\]-~]+$/.test(one)))
    return scopes
  throw new TypeError(`authorize: ${name} must be one or more scopes (RFC 6749 §3.3), as text or as a list`)
}

function createGuard(admitter: Admitter, requirements: Requirements, refusals: 'answer' | 'throw'): Guard {
  const accept = (request: FastifyRequest, reply: FastifyReply, admission: Admission): void => {
    reportAdmission(admission, reply)
    request.auth = admission.auth
  }
  const refuse = (error: unknown, request: FastifyRequest, reply: FastifyReply, ends: Ends): void => {
    const refusal = toPortcullisError(error)
    if (refusals === 'throw') return ends.done(refusal)
    sendError(request, reply, refusal)
    ends.answered?.(refusal)
  }
  // Synchronous where admission is: it runs on every guarded request.
  const guard = (request: FastifyRequest, reply: FastifyReply, done: Done, answered?: Done): void => {
    let admission: Admission | Promise<Admission>
    try {
      admission = admitter.admit(new FastifyRequestFacts(request), requirements)
      if (!(admission instanceof Promise)) accept(request, reply, admission)
    } catch (error) {
      return refuse(error, request, reply, { done, answered })
    }
    if (!(admission instanceof Promise)) return done()
    admission
      .then((late) => accept(request, reply, late))
      .then(
        () => done(),
        (error: unknown) => refuse(error, request, reply, { done, answered }),
      )
  }
  return ((request: FastifyRequest, reply: FastifyReply, done?: Done) => {
    // Fastify sees by itself that the guard has sent a response.
    if (done) return guard(request, reply, done)
    return new Promise<void>((resolve, reject) => {
      guard(request, reply, (error) => (error ? reject(error) : resolve()), reject)
    })
  }) as onRequestHookHandler as Guard
}

/** Ends of a guard: `done` is Fastify's or settles the promise; `answered` is called after the guard's own response. */
interface Ends {
  readonly done: Done
  readonly answered: Done | undefined
}
