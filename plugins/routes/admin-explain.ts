import type { FastifyInstance } from 'fastify'
import { ExplainBody } from '../../src/contract.js'
import type { Core } from '../../src/app/core.js'

/**
 * Adds `POST /api/explain`, which returns each step of the verification of a token and its result. The call changes
 * nothing and logs nothing.
 */
export function explainRoute(app: FastifyInstance, { verifier }: Core): void {
  app.post<{ Body: ExplainBody }>('/explain', { schema: { body: ExplainBody } }, (request) =>
    verifier.explain(request.body.token),
  )
}
