/**
 * A Fastify application that uses Portcullis. Run `npm run build`, then `node dist/examples/plugin/app.js`. The README has
 * the requests to try. Sessions are kept in memory, so they end with the process.
 */
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import fastify from 'fastify'
import portcullis, { authenticate, authorize } from 'portcullis'
import type { PluginOptions } from 'portcullis'

/** Replace this with your database, and store hashes instead of passwords. */
const accounts = new Map([
  ['ada', { password: 'gate-keeper-1843', scope: 'admin', claims: { name: 'Ada' } }],
  ['bob', { password: 'drawbridge-1066', scope: '', claims: { name: 'Bob' } }],
])

export async function createApp(options: Partial<PluginOptions> = {}) {
  const app = fastify()
  await app.register(portcullis, {
    store: 'memory',
    issuer: 'https://api.example.com',
    audience: 'https://api.example.com',
    // `null` is 401 invalid_credentials. An error with `statusCode: 403` is 403, any other is 500.
    login({ username, password }) {
      const account = accounts.get(username)
      if (account?.password !== password) return null
      return { sub: username, scope: account.scope, claims: account.claims }
    },
    ...options,
  })

  app.get('/', async () => ({ anybody: 'may read this' }))
  app.get('/me', { onRequest: authenticate }, async (request) => request.auth)
  app.get('/greeting', { onRequest: authenticate.optional }, async ({ auth }) => ({
    hello: auth?.claims['name'] ?? 'stranger',
  }))
  app.delete('/users/:name', { onRequest: authorize({ scope: 'admin' }) }, async (request) => {
    const { name } = request.params as { name: string }
    // When this resolves, no instance admits a token of this user any more.
    await app.portcullis.sessions.endAll(name)
    return { ended: name }
  })
  return app
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const app = await createApp()
  console.log(await app.listen({ host: '127.0.0.1', port: Number(process.env['PORT'] ?? 3000) }))
}
