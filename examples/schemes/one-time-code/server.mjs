/**
 * A server that lets other sites act for its users (web authorisation). A site gets a one-time code, and exchanges it for
 * tokens of its own.
 */
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
    issuer: 'https://login.example.com',
    audience: 'https://api.example.com',
    login: ({ username, password }) => (passwords.get(username) === password ? { sub: username } : null),
    // The life of a code, and the lives of the tokens that it is exchanged for.
    codes: { life: '10m', access: '2h', refresh: '30d' },
  })
  app.get('/profile', { onRequest: authenticate }, async ({ auth }) => ({
    user: auth.sub,
    client: auth.claims.client_id,
  }))
  return app
}

await runServer(import.meta.url, createServer)
