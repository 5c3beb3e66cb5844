import type { FastifyInstance } from 'fastify'
import type { SigningKey } from '../../src/token/signing-key.js'

/** `GET /.well-known/jwks.json` (RFC 7517 §5). Without keys for an HMAC: such a secret is nobody else's. */
export function jwksRoute(app: FastifyInstance, { publicJwk }: SigningKey): void {
  const body = JSON.stringify({ keys: publicJwk ? [publicJwk] : [] })
  app.get('/.well-known/jwks.json', (_request, reply) =>
    reply.header('cache-control', 'public, max-age=300').type('application/jwk-set+json').send(body),
  )
}
