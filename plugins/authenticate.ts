import type { FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify'
import type { Admission, Admitter, Requirements } from '../src/admission.js'
import type { OnOutage } from '../src/revocation/port.js'
import type { Auth } from '../src/verdict.js'
import { answerRefusal, toRefusal } from './errors.js'
import { FastifyRequestFacts, reportAdmission } from './request-facts.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** Guard: 401 without a good access token. As `onRequest` (better: before the body is read) or `preHandler`. */
    authenticate: Guard & {
      /** Guard: without credentials `request.auth` is null; bad ones are 401 all the same. */
      optional: Guard
    }
    /** Guard: as `authenticate`, and 403 unless the token has every scope. */
    authorize(needs: { scope: string | readonly string[] }): Guard
  }
  interface FastifyRequest {
    /** Who the request is from, after a guard; null where it is anonymous or wasn't asked. */
    auth: Auth | null
  }
}

type Done = (error?: Error) => void

/** Usable as a hook, and to be awaited in a hook of the host's own. */
export interface Guard {
  (request: FastifyRequest, reply: FastifyReply): Promise<void>
  (request: FastifyRequest, reply: FastifyReply, done: Done): void
}

export interface GuardPorts {
  readonly admitter: Admitter
  /** `throw` passes the error to the host's error handler. */
  readonly refusals: 'answer' | 'throw'
  readonly onOutage: OnOutage
}

export function createGuards({ admitter, refusals, onOutage }: GuardPorts) {
  const guard = (auth: 'required' | 'optional', scope: readonly string[]) =>
    createGuard(admitter, { auth, scope, onOutage }, refusals)
  const authenticate = Object.assign(guard('required', []), { optional: guard('optional', []) })
  const authorize = ({ scope }: { scope: string | readonly string[] }): Guard =>
    guard('required', typeof scope === 'string' ? scope.split(' ') : scope)
  return { authenticate, authorize }
}

function createGuard(admitter: Admitter, requirements: Requirements, refusals: 'answer' | 'throw'): Guard {
  const accept = (request: FastifyRequest, reply: FastifyReply, admission: Admission): void => {
    reportAdmission(admission, reply)
    request.auth = admission.auth
  }
  const refuse = (error: unknown, request: FastifyRequest, reply: FastifyReply, ends: Ends): void => {
    const refusal = toRefusal(error)
    if (refusals === 'throw') return ends.done(refusal)
    answerRefusal(request, reply, refusal)
    ends.answered?.()
  }
  // Synchronous where admission is: it runs on every guarded request.
  const guard = (request: FastifyRequest, reply: FastifyReply, done: Done, answered?: () => void): void => {
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
    if (done) return guard(request, reply, done)
    return new Promise<void>((resolve, reject) => {
      // Where the guard has sent the response itself, Fastify sees that the reply was sent.
      guard(request, reply, (error) => (error ? reject(error) : resolve()), resolve)
    })
  }) as onRequestHookHandler as Guard
}

/** How a guard ends: for Fastify; or, where it sent the response itself and is awaited, without Fastify. */
interface Ends {
  readonly done: Done
  readonly answered: (() => void) | undefined
}
