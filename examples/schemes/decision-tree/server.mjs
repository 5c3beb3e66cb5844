/**
 * The same pages twice: guarded by the plugin, and without any guard, for a gateway in front of them. Both show what
 * happens to a request without access: 404, 401, 403, or 302 to the login page.
 */
import { fileURLToPath } from 'node:url'
import fastify from 'fastify'
import portcullis, { authenticate, authorize } from 'portcullis'
import { runServer } from '../run.mjs'
import { LOGIN_PAGE } from './login-page.mjs'

/** @param {{ store?: string, keys?: object }} options The Redis, and the key that signs. */
export async function createServer({ store = 'memory', keys = {} } = {}) {
  return [await createGuardedServer({ store, keys }), createUnguardedServer()]
}

async function createGuardedServer({ store, keys }) {
  const app = fastify()
  await app.register(portcullis, {
    store,
    issuer: 'https://shop.example.com',
    audience: 'https://shop.example.com',
    keys,
    login: { users: fileURLToPath(new URL('users.htpasswd', import.meta.url)), page: '/login' },
    // For plain http, because __Host- cookies need https.
    cookies: { secure: false },
  })
  addPages(app, {
    // 302 to the login page for a browser, 401 for a script.
    reports: authenticate.with({ onAnonymous: 'redirect' }),
    // 401 without a good token.
    orders: authenticate,
    // 401 without a good token, 403 without the scope.
    refunds: authorize({ scope: 'refunds' }),
    // 404 in either case.
    audit: authorize({ scope: 'audit', hidden: true }),
  })
  return app
}

/** Only the gateway of `portcullis.yaml` may reach this server. */
function createUnguardedServer() {
  const app = fastify()
  addPages(app, {})
  return app
}

function addPages(app, guards) {
  app.get('/login', async (_request, reply) => reply.type('text/html').send(LOGIN_PAGE))
  for (const name of ['reports', 'orders', 'refunds', 'audit'])
    app.get(`/${name}`, { onRequest: guards[name] ?? [] }, async (request) => {
      const user = request.auth?.sub ?? request.headers['x-forwarded-user']
      return `the ${name}, for ${user}`
    })
}

await runServer(import.meta.url, createServer)
