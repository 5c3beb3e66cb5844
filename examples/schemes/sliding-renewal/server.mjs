/**
 * An API whose responses renew the token. The token lives for 15 minutes. The response to a request with less than a minute
 * left brings a new one, so a user who stays active stays signed in, for 12 hours at most.
 */
import fastify from 'fastify'
import portcullis, { authenticate } from 'portcullis'
import { runServer } from '../run.mjs'

/** Replace this with your database, and store hashes instead of passwords. */
const users = new Map([
  ['ada', { password: 'gate-keeper-1843', name: 'Ada' }],
  ['bob', { password: 'drawbridge-1066', name: 'Bob' }],
])

export async function createServer({ store = 'memory', keys = {} } = {}) {
  const app = fastify()
  await app.register(portcullis, {
    store,
    keys,
    issuer: 'https://api.example.com',
    audience: 'https://api.example.com',
    tokens: { scheme: 'single', access: '15m', renewUnder: '1m', absolute: '12h' },
    login({ username, password }) {
      const user = users.get(username)
      return user?.password === password ? { sub: username, claims: { name: user.name } } : null
    },
  })

  app.get('/profile', { onRequest: authenticate }, async ({ auth }) => ({
    user: auth.sub,
    name: auth.claims.name,
  }))
  return app
}

await runServer(import.meta.url, createServer)
