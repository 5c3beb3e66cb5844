import type { FastifyInstance } from 'fastify'
import { ExplainBody } from '../../src/contract.js'
import type { Core } from '../core.js'

/**
 * `POST /api/explain`: what would be decided about a token, step by step, and why. Nothing changes, and nothing is
 * logged of it.
 */
export function explainRoute(app: FastifyInstance, { verifier }: Core): void {
  app.post<{ Body: ExplainBody }>('/explain', { schema: { body: ExplainBody } }, (request) =>
    verifier.explain(request.body.token),
  )
}
