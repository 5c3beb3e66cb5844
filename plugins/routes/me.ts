import type { FastifyInstance } from 'fastify'
import type { Guard } from '../guards.js'

/** Adds `GET /auth/me`, which returns the claims of the access token. */
export function meRoute(app: FastifyInstance, authenticate: Guard): void {
  app.get('/me', { onRequest: authenticate }, async (request) => request.auth!.claims)
}
