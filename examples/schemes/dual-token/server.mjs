/**
 * An API with two tokens, for clients that know its own routes and its own envelope: `{ code, message, data }`. Users are
 * in a file. A changed password ends the sessions of its user.
 */
import { fileURLToPath } from 'node:url'
import fastify from 'fastify'
import portcullis, { authenticate } from 'portcullis'
import { runServer } from '../run.mjs'

/** ada has the password demo-ada-1843, bob has demo-bob-1066. */
const USERS = fileURLToPath(new URL('./users.htpasswd', import.meta.url))

const success = (data = null) => ({ code: 0, message: 'ok', data })

/** @param {{ store?: string, keys?: object, users?: string }} options The Redis, the key that signs, the users file. */
export async function createServer({ store = 'memory', keys = {}, users = USERS } = {}) {
  const app = fastify()
  await app.register(portcullis, {
    store,
    keys,
    issuer: 'https://api.example.com',
    audience: 'https://api.example.com',
    login: { users },
    tokens: { access: '30m', refresh: '7d', refreshLimit: 100 },
    // Guards throw their errors, so that the handler below sends these, too.
    refusals: 'throw',
  })

  app.setErrorHandler((error, _request, reply) => {
    const status = error.statusCode ?? 500
    // Such as Retry-After.
    reply.code(status).headers(error.headers ?? {})
    const message = status < 500 ? (error.title ?? error.message) : 'Try again later'
    return { code: status, message, data: null }
  })

  app.post('/login', async (request, reply) => {
    reply.header('cache-control', 'no-store')
    const { username, password } = request.body ?? {}
    return success(await app.portcullis.login({ username, password }, request))
  })
  app.get('/refresh', async ({ query, ip }, reply) => {
    reply.header('cache-control', 'no-store')
    return success(await app.portcullis.refresh(query.refresh_token, { ip }))
  })
  app.post('/logout', async ({ headers, body, ip }) => {
    const accessToken = headers.authorization?.replace(/^Bearer /i, '')
    await app.portcullis.logout({ accessToken, refreshToken: body?.refresh_token, ip })
    return success()
  })
  app.get('/user', { onRequest: authenticate }, async ({ auth }) => success({ name: auth.sub }))
  return app
}

await runServer(import.meta.url, createServer)
