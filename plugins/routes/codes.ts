import type { FastifyInstance } from 'fastify'
import { CodesBody } from '../../src/contract.js'
import type { CodesResponse } from '../../src/contract.js'
import { PortcullisError, rateLimited } from '../../src/errors.js'
import type { Sid } from '../../src/session/session.js'
import type { Core } from '../../src/app/core.js'
import type { OwnGuard } from '../guards.js'

/** Adds `POST /auth/codes`, which issues a one-time code for the session of the access token. */
export function codesRoute(
  app: FastifyInstance,
  { sessions, limiters }: Core,
  { authenticate, authOf }: OwnGuard,
): void {
  app.post<{ Body: CodesBody | undefined }>(
    '/codes',
    { onRequest: authenticate, schema: { body: CodesBody } },
    async (request, reply) => {
      const { sub, sid } = authOf(request)
      const { code_challenge, code_challenge_method, client_id } = request.body ?? {}
      if (code_challenge_method !== undefined && code_challenge === undefined) {
        throw new PortcullisError('invalid_request', {
          detail: 'code_challenge_method: use it together with code_challenge only.',
        })
      }
      const seconds = await limiters.codesPerSubject.count(sub)
      if (seconds > 0) throw rateLimited(seconds)
      const { code, expiresIn } = await sessions.issueCode(sid as Sid, {
        challenge: code_challenge,
        clientId: client_id,
      })
      const response: CodesResponse = { code, expires_in: expiresIn }
      return reply.code(201).send(response)
    },
  )
}
