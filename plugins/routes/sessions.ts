import type { FastifyInstance } from 'fastify'
import { SessionsQuery, sessionsResponse } from '../../src/contract.js'
import { PortcullisError } from '../../src/errors.js'
import type { PageOptions, SessionPage } from '../../src/session/list-sessions.js'
import type { Sid } from '../../src/session/session.js'
import type { OwnGuard } from '../guards.js'
import type { Core } from '../../src/app/core.js'
import { attributeTo } from './session-events.js'

/** Adds `GET /auth/sessions`, which lists the caller's sessions, and `DELETE /auth/sessions/:sid`, which ends one. */
export function sessionsRoutes(app: FastifyInstance, core: Core, { authenticate, authOf }: OwnGuard): void {
  const { sessions } = core
  app.get<{ Querystring: SessionsQuery }>(
    '/sessions',
    { onRequest: authenticate, schema: { querystring: SessionsQuery } },
    async (request) => {
      const { sub, sid } = authOf(request)
      const { cursor, limit } = request.query
      const options = { cursor, limit: limit === undefined ? undefined : Number(limit) }
      return sessionsResponse(await listPage(sub, options), sid)
    },
  )

  function listPage(sub: string, options: PageOptions): Promise<SessionPage> {
    return sessions.list(sub, options).catch((error: unknown) => {
      if (error instanceof RangeError)
        throw new PortcullisError('invalid_request', { detail: `${error.message}.` })
      throw error
    })
  }

  app.delete<{ Params: { sid: string } }>(
    '/sessions/:sid',
    { onRequest: authenticate },
    async (request, reply) => {
      const { sub, sid } = authOf(request)
      const ended = request.params.sid as Sid
      await attributeTo(core, request, sid, () => sessions.forRequest(request.id).end(sub, ended, sid as Sid))
      return reply.code(204).send()
    },
  )
}
