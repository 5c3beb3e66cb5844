import type { FastifyInstance } from 'fastify'
import { systemClock, toSeconds } from '../../src/clock.js'
import { RevocationBody, RevocationsQuery, toListedEntryView } from '../../src/contract.js'
import { PortcullisError } from '../../src/errors.js'
import { hasLoneSurrogate } from '../../src/lone-surrogate.js'
import type { RevokeRequest } from '../../src/session/revoke.js'
import type { Core } from '../../src/app/core.js'

/**
 * Adds `POST /api/revocations` and `GET /api/revocations`. POST responds with 201 when no instance admits the revoked
 * tokens. GET lists one page of the denylist.
 */
export function revocationsRoutes(app: FastifyInstance, core: Core): void {
  app.post<{ Body: RevocationBody }>(
    '/revocations',
    { schema: { body: RevocationBody } },
    async (request, reply) => {
      const what = toRequest(request.body, systemClock.now())
      await core.sessions.forRequest(request.id).revoke(what)
      return reply.code(201).send(what)
    },
  )

  app.get<{ Querystring: RevocationsQuery }>(
    '/revocations',
    { schema: { querystring: RevocationsQuery } },
    async (request) => {
      const { search, cursor, limit } = request.query
      const { entries, nextCursor } = await core.listEntries({
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

/**
 * Converts the body to a revoke request.
 *
 * @throws {PortcullisError} `invalid_request`
 */
function toRequest(body: RevocationBody, now: number): RevokeRequest {
  const { jti, sid, sub, kid, all, expiresIn, reason } = body
  // A time in the future means now. The response must show the time that is in force.
  const before = body.before === undefined ? undefined : Math.min(body.before, toSeconds(now))
  const ids = [jti, sid, sub, kid, all].filter((id) => id !== undefined)
  if (ids.length !== 1) {
    throw new PortcullisError('invalid_request', {
      detail: 'Give exactly one of jti, sid, sub, kid and all.',
    })
  }
  for (const [name, id] of Object.entries({ jti, sid, sub, kid }))
    if (id !== undefined && hasLoneSurrogate(id))
      throw new PortcullisError('invalid_request', { detail: `${name}: it has a lone surrogate.` })
  if (before !== undefined && sub === undefined && all === undefined) {
    throw new PortcullisError('invalid_request', { detail: 'before: use it with sub or all only.' })
  }
  if (expiresIn !== undefined && jti === undefined) {
    throw new PortcullisError('invalid_request', { detail: 'expiresIn: use it with jti only.' })
  }
  if (jti !== undefined) {
    return { jti, reason, expiresAt: expiresIn === undefined ? undefined : Math.ceil(now / 1000) + expiresIn }
  }
  if (sid !== undefined) return { sid, reason }
  if (kid !== undefined) return { kid, reason }
  return sub === undefined ? { all: true, before, reason } : { sub, before, reason }
}
