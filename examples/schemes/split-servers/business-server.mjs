/** A server that verifies the tokens of the auth server with its public key, and can't sign any. */
import fastify from 'fastify'
import portcullis, { authenticate, authorize } from 'portcullis'
import { AUDIENCE, ISSUER } from './settings.mjs'

/**
 * @param {object} options
 * @param {string} options.store The Redis of the auth server, whose logouts are then noticed here. With `none`, a token
 *   works until it expires.
 * @param {{ verify: string, algorithm: 'RS256' } | { jwks: string }} options.keys The public key as PEM (or its file),
 *   or the URL of the JWK Set of the auth server.
 */
export async function createBusinessServer({ store, keys }) {
  const app = fastify()
  await app.register(portcullis, {
    store,
    issuer: ISSUER,
    audience: AUDIENCE,
    keys,
  })
  const orders = new Map([[7, { id: 7, item: 'a drawbridge' }]])
  app.get('/orders', { onRequest: authenticate }, async ({ auth }) => ({
    user: auth.claims.name,
    orders: [...orders.values()],
  }))
  app.delete('/orders/:id', { onRequest: authorize({ scope: 'orders:delete' }) }, async (request, reply) => {
    orders.delete(Number(request.params.id))
    return reply.code(204).send()
  })
  return app
}
