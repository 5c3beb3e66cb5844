/**
 * A Fastify application with Portcullis in it. To run it: `npm run build`, then `node dist/examples/plugin/app.js`; the
 * lines to try are in the README. Sessions are kept in memory here: for one process, and only while it runs.
 */
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import fastify from 'fastify'
// In an application of yours: from 'portcullis'
import portcullis from '../../src/index.js'
import type { PluginOptions } from '../../src/index.js'

/** Stands for a table of yours. Keep hashes there, not passwords. */
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
    // null: 401 invalid_credentials. What throws is 500, and no session either.
    login({ username, password }) {
      const account = accounts.get(username)
      if (account?.password !== password) return null
      return { sub: username, scope: account.scope, claims: account.claims }
    },
    ...options,
  })

  app.get('/', async () => ({ anybody: 'may read this' }))
  app.get('/me', { onRequest: app.authenticate }, async (request) => request.auth)
  app.get('/greeting', { onRequest: app.authenticate.optional }, async ({ auth }) => ({
    hello: auth?.claims['name'] ?? 'stranger',
  }))
  app.delete('/users/:name', { onRequest: app.authorize({ scope: 'admin' }) }, async (request) => {
    const { name } = request.params as { name: string }
    // Exact: when this line is done, no instance admits a token of theirs.
    await app.portcullis.sessions.endAll(name)
    return { ended: name }
  })
  return app
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const app = await createApp()
  console.log(await app.listen({ host: '127.0.0.1', port: Number(process.env['PORT'] ?? 3000) }))
}
