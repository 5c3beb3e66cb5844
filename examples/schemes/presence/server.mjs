/** An API with an allowlist in Redis: a token is good only while the record of its session exists there. */
import fastify from 'fastify'
import portcullis, { authenticate } from 'portcullis'
import { runServer } from '../run.mjs'

/** Replace this with your database, and store hashes instead of passwords. */
const passwords = new Map([
  ['ada', 'demo-ada-1843'],
  ['bob', 'demo-bob-1066'],
])

/** @param {{ store?: string, keys?: object }} options The Redis, and the key that signs. */
export async function createServer({ store = 'memory', keys = {} } = {}) {
  const app = fastify()
  await app.register(portcullis, {
    store,
    keys,
    issuer: 'https://api.example.com',
    audience: 'https://api.example.com',
    login: ({ username, password }) => (passwords.get(username) === password ? { sub: username } : null),
    tokens: { access: '1h', refresh: '7d' },
    // Each request asks Redis for the record of its session. With `store: 'memory'`, this has no effect.
    revocation: { check: 'presence' },
  })
  app.get('/orders', { onRequest: authenticate }, async ({ auth }) => ({ customer: auth.sub, orders: [] }))
  return app
}

await runServer(import.meta.url, createServer)
