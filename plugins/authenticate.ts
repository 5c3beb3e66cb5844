import type { FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify'
import { Refusal, insufficientScope } from '../src/errors.js'
import type { OnOutage } from '../src/revocation/port.js'
import { findAccessToken } from '../src/token/bearer.js'
import type { Credentials, Transports } from '../src/token/bearer.js'
import { changesState, refuseCrossSite } from '../src/token/cross-site.js'
import type { Auth, Verdict } from '../src/verdict.js'
import { answerRefusal, toRefusal } from './errors.js'
import { createSampler } from './sample.js'

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
  readonly verdict: Verdict
  readonly transports: Transports
  /** Origins that count as our own for requests by cookie. */
  readonly origins: readonly string[]
  /** `throw`: the refusal goes to the host's error handler. */
  readonly refusals: 'answer' | 'throw'
  /** What is preferred while denials can't be asked. */
  readonly onOutage: OnOutage
  readonly onRefusal: (refusal: Refusal) => void
}

export function createGuards(ports: GuardPorts) {
  const authenticate = Object.assign(createGuard(ports, { isRequired: true, scope: [] }), {
    optional: createGuard(ports, { isRequired: false, scope: [] }),
  })
  const authorize = ({ scope }: { scope: string | readonly string[] }): Guard =>
    createGuard(ports, { isRequired: true, scope: typeof scope === 'string' ? scope.split(' ') : scope })
  return { authenticate, authorize }
}

/**
 * The access token that a request brings, or undefined; whether it can be one is left to the verdict. One that comes
 * as a cookie counts only on requests that another site can't make a browser send. Where it stands in the URL, the
 * answer isn't to be stored.
 *
 * @throws {Refusal} `credentials_ambiguous`, `cross_site_request`
 */
export function credentialsOf(
  request: FastifyRequest,
  reply: FastifyReply,
  { transports, origins }: Pick<GuardPorts, 'transports' | 'origins'>,
): Credentials | undefined {
  const credentials = findAccessToken(request.raw, transports, request.body)
  if (credentials?.transport === 'cookie' && changesState(request.method))
    refuseCrossSite(request.headers, origins)
  // RFC 6750 §2.3.
  if (credentials?.transport === 'query') reply.header('cache-control', 'private, no-store')
  return credentials
}

/** What a guard asks for. */
export interface Needs {
  readonly isRequired: boolean
  readonly scope: readonly string[]
}

/**
 * Whether the one that a request is from may pass.
 *
 * @throws {Refusal} `credentials_missing`, `insufficient_scope`
 */
export function checkNeeds(auth: Auth | null, { isRequired, scope }: Needs): void {
  if (auth === null && (isRequired || scope.length > 0)) {
    throw new Refusal('credentials_missing', { detail: 'Send it as: Authorization: Bearer <token>.' })
  }
  for (const one of scope) if (!auth!.scope.includes(one)) throw insufficientScope(scope)
}

const sample = createSampler()

/** As the verdict judges; one that was admitted without certainty says so in the response. */
export function judge(
  token: string,
  reply: FastifyReply,
  { verdict, onOutage }: Pick<GuardPorts, 'verdict' | 'onOutage'>,
): Auth | Promise<Auth> {
  if (onOutage === 'closed') return verdict.judge(token)
  return verdict.judgeOr(token, onOutage).then(({ auth, outage }) => {
    if (outage !== undefined) {
      reply.header('x-portcullis-outage', outage)
      const { sub, sid } = auth
      sample(() =>
        reply.log.warn(
          { event: 'admitted_in_outage', outage, sub, sid },
          'admitted, as others may be, without a lease',
        ),
      )
    }
    return auth
  })
}

function createGuard(ports: GuardPorts, needs: Needs): Guard {
  const admit = (request: FastifyRequest, auth: Auth | null): void => {
    checkNeeds(auth, needs)
    request.auth = auth
  }
  const refuse = (error: unknown, request: FastifyRequest, reply: FastifyReply, ends: Ends): void => {
    const refusal = toRefusal(error)
    ports.onRefusal(refusal)
    if (ports.refusals === 'throw') return ends.done(refusal)
    answerRefusal(request, reply, refusal)
    ends.answered?.()
  }
  // Without an await where none is needed, and next to nothing made anew: it runs on every request.
  const guard = (request: FastifyRequest, reply: FastifyReply, done: Done, answered?: () => void): void => {
    let found: Auth | null | Promise<Auth>
    try {
      const credentials = credentialsOf(request, reply, ports)
      found = credentials === undefined ? null : judge(credentials.token, reply, ports)
      if (!(found instanceof Promise)) admit(request, found)
    } catch (error) {
      return refuse(error, request, reply, { done, answered })
    }
    if (!(found instanceof Promise)) return done()
    found
      .then((auth) => admit(request, auth))
      .then(
        () => done(),
        (error: unknown) => refuse(error, request, reply, { done, answered }),
      )
  }
  return ((request: FastifyRequest, reply: FastifyReply, done?: Done) => {
    if (done) return guard(request, reply, done)
    return new Promise<void>((resolve, reject) => {
      // Where the guard answered by itself, Fastify sees that the reply was sent.
      guard(request, reply, (error) => (error ? reject(error) : resolve()), resolve)
    })
  }) as onRequestHookHandler as Guard
}

/** How a guard ends: for Fastify, or, where the guard has answered by itself and is awaited, without it. */
interface Ends {
  readonly done: Done
  readonly answered: (() => void) | undefined
}
