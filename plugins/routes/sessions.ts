import type { FastifyInstance } from 'fastify'
import { sessionView } from '../../src/contract.js'
import { withinDeadline } from '../../src/deadline.js'
import { endOwnSession } from '../../src/session/end.js'
import type { Sid } from '../../src/session/session.js'
import type { Guard } from '../authenticate.js'
import type { Core } from '../core.js'

/** `GET /auth/sessions` and `DELETE /auth/sessions/:sid` */
export function sessionsRoutes(
  app: FastifyInstance,
  { sessions, revokeDeadline }: Core,
  authenticate: Guard,
): void {
  app.get('/sessions', { onRequest: authenticate }, async (request) => {
    const { sub, sid } = request.auth!
    const all = await withinDeadline(sessions.store.list(sub, sessions.clock.now()))
    return { sessions: all.map((session) => sessionView(session, sid)) }
  })

  app.delete<{ Params: { sid: string } }>(
    '/sessions/:sid',
    { onRequest: authenticate },
    async (request, reply) => {
      await withinDeadline(
        endOwnSession(sessions, request.auth!.sub, request.params.sid as Sid),
        revokeDeadline,
      )
      return reply.code(204).send()
    },
  )
}
