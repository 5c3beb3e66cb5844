import type { FastifyInstance } from 'fastify'
import type { OwnGuard } from '../guards.js'

/** Adds `GET /auth/me`, which returns the claims of the access token. */
export function meRoute(app: FastifyInstance, { authenticate, authOf }: OwnGuard): void {
  app.get('/me', { onRequest: authenticate }, async (request) => authOf(request).claims)
}
