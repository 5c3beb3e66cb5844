/**
 * An API with one token per session. The token lives for 15 minutes, and is exchanged when it has expired. A session
 * ends 72 hours after its login, or after 50 exchanges.
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
    // With `scheme: 'single'`, the other three are the defaults.
    tokens: { scheme: 'single', access: '15m', absolute: '72h', refreshLimit: 50 },
    login({ username, password }) {
      const user = users.get(username)
      return user?.password === password ? { sub: username, claims: { name: user.name } } : null
    },
  })

  app.get('/profile', { onRequest: authenticate }, async ({ auth }) => ({
    user: auth.sub,
    name: auth.claims.name,
  }))

  // The route that clients called before this server had Portcullis, with the body that they expect.
  app.post('/refresh', async ({ body, ip }) => {
    const tokens = await app.portcullis.renew(body?.token, { ip })
    return { token: tokens.access_token, expiresIn: tokens.expires_in }
  })
  return app
}

await runServer(import.meta.url, createServer)
