import type { FastifyInstance } from 'fastify'
import type { SigningKey } from '../../src/token/signing-key.js'

/** Adds `GET /.well-known/jwks.json` (RFC 7517 §5). The set is empty for HMAC, because that key is secret. */
export function jwksRoute(app: FastifyInstance, { publicJwk }: SigningKey): void {
  const body = JSON.stringify({ keys: publicJwk ? [publicJwk] : [] })
  app.get('/.well-known/jwks.json', (_request, reply) =>
    reply.header('cache-control', 'public, max-age=300').type('application/jwk-set+json').send(body),
  )
}
