import type { FastifyInstance } from 'fastify'
import { toSeconds } from '../../src/clock.js'
import { RevocationBody, RevocationsQuery, toListedEntryView } from '../../src/contract.js'
import { PortcullisError } from '../../src/errors.js'
import type { Core } from '../core.js'
import { revoke } from '../revoke.js'
import type { RevokeRequest } from '../revoke.js'

/** `POST /api/revocations`: 201 when it is in force everywhere. `GET /api/revocations`: what is in force, in pages. */
export function revocationsRoutes(app: FastifyInstance, core: Core): void {
  app.post<{ Body: RevocationBody }>(
    '/revocations',
    { schema: { body: RevocationBody } },
    async (request, reply) => {
      const what = toRequest(request.body, core.sessions.clock.now())
      await revoke(core, what)
      return reply.code(201).send(what)
    },
  )

  app.get<{ Querystring: RevocationsQuery }>(
    '/revocations',
    { schema: { querystring: RevocationsQuery } },
    async (request) => {
      const { search, cursor, limit } = request.query
      const { entries, nextCursor } = await core.listDenials({
        search,
        cursor,
        limit: limit === undefined ? undefined : Number(limit),
      })
      return {
        revocations: entries.map(toListedEntryView),
        ...(nextCursor !== undefined && { next_cursor: nextCursor }),
      }
    },
  )
}

/** One target, and what goes with it. */
function toRequest(body: RevocationBody, now: number): RevokeRequest {
  const { jti, sid, sub, kid, all, expiresIn, reason } = body
  // What will be issued later is none of it: the answer says what is in force.
  const before = body.before === undefined ? undefined : Math.min(body.before, toSeconds(now))
  const targets = [jti, sid, sub, kid, all].filter((target) => target !== undefined)
  if (targets.length !== 1) {
    throw new PortcullisError('invalid_request', { detail: 'Give one of: jti, sid, sub, kid, all.' })
  }
  if (before !== undefined && sub === undefined && all === undefined) {
    throw new PortcullisError('invalid_request', { detail: 'before: it goes with sub and all.' })
  }
  if (expiresIn !== undefined && jti === undefined) {
    throw new PortcullisError('invalid_request', { detail: 'expiresIn: it goes with jti.' })
  }
  if (jti !== undefined) {
    return { jti, reason, expiresAt: expiresIn === undefined ? undefined : Math.ceil(now / 1000) + expiresIn }
  }
  if (sid !== undefined) return { sid, reason }
  if (kid !== undefined) return { kid, reason }
  return sub === undefined ? { all: true, before, reason } : { sub, before, reason }
}
