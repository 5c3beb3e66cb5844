/** Beside the host's own @fastify/jwt, cookie, rate-limit and cors, registered before us or after us. */
import cookie from '@fastify/cookie'
import cors from '@fastify/cors'
import jwt from '@fastify/jwt'
import rateLimit from '@fastify/rate-limit'
import fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import portcullis from '../../src/index.js'
import type { Scope } from '../support/scope.js'
import { USERS, call, home, isRefused, logIn, sharedSettings } from '../support/gateway-process.js'

const HOST_MAX = 40

async function registerHosts(app: FastifyInstance): Promise<void> {
  await app.register(jwt, { secret: 'a secret of the host’s own, long enough' })
  await app.register(cookie, { secret: 'another of the host’s secrets' })
  await app.register(rateLimit, { max: HOST_MAX, timeWindow: '1 minute' })
  await app.register(cors, { origin: ['https://pages.host.test'], credentials: true })
}

async function host(t: Scope, order: 'before' | 'after'): Promise<{ app: FastifyInstance; url: string }> {
  const directory = await home(t)
  const app = fastify()
  t.teardown(() => app.close())
  const options = { ...sharedSettings(directory), login: { users: `${directory}/users.htpasswd` } }
  if (order === 'before') await registerHosts(app)
  await app.register(portcullis, options)
  if (order === 'after') await registerHosts(app)

  app.get('/open', async () => ({ open: true }))
  app.get('/host-jwt', { onRequest: (request) => request.jwtVerify() }, async ({ user }) => ({ user }))
  app.get('/cookies', async (request, reply) => {
    reply.setCookie('host', 'set', { signed: true })
    return request.cookies
  })
  app.get('/guarded', { onRequest: app.authenticate }, async ({ auth, user }) => ({
    sub: auth?.sub,
    user: user ?? null,
  }))
  return { app, url: await app.listen({ host: '127.0.0.1', port: 0 }) }
}

for (const order of ['before', 'after'] as const) {
  t.test(`the host’s plugins registered ${order} us`, async (t) => {
    const { app, url } = await host(t, order)
    const hostToken = app.jwt.sign({ name: 'of the host' })
    const { access_token } = await logIn(url)

    await t.test('the host’s jwt signs and verifies, and neither accepts the other’s tokens', async (t) => {
      t.match(app.jwt.verify(hostToken), { name: 'of the host' })
      const own = await call(url, 'GET', '/host-jwt', { token: hostToken })
      t.match(own.body, { user: { name: 'of the host' } })
      t.not((await call(url, 'GET', '/host-jwt', { token: access_token })).status, 200)
      t.throws(() => app.jwt.verify(access_token))
      isRefused(t, await call(url, 'GET', '/guarded', { token: hostToken }), 401, 'token_invalid')
      t.strictSame((await call(url, 'GET', '/guarded', { token: access_token })).body, {
        sub: 'ada',
        user: null,
      })
    })

    await t.test('the host’s cookies are parsed and set, and our login sets ours', async (t) => {
      const answer = await call(url, 'GET', '/cookies', { cookies: { a: '1', b: 'x%20y' } })
      t.strictSame(answer.body, { a: '1', b: 'x y' })
      t.match(answer.setCookie, [/^host=set\./])
      const json = { username: 'ada', password: USERS.ada, cookies: true }
      const { setCookie } = await call(url, 'POST', '/auth/login', { json, headers: { origin: url } })
      t.match(setCookie, [/^__Host-access=/, /^__Secure-refresh=/])
    })

    await t.test('the host’s CORS applies', async (t) => {
      const headers = { origin: 'https://pages.host.test', 'access-control-request-method': 'GET' }
      const preflight = await call(url, 'OPTIONS', '/open', { headers })
      t.equal(preflight.status, 204)
      t.equal(preflight.headers['access-control-allow-origin'], 'https://pages.host.test')
    })

    await t.test('the host’s routes stay open, and its rate limit counts', async (t) => {
      const statuses: number[] = []
      for (let i = 0; i <= HOST_MAX; i++) statuses.push((await call(url, 'GET', '/open')).status)
      t.equal(statuses[0], 200)
      t.equal(statuses.at(-1), 429)
      t.ok(statuses.every((status) => status === 200 || status === 429))
    })
  })
}

t.test('a host’s limit on its own login routes and ours count separately', async (t) => {
  const directory = await home(t)
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(rateLimit, { global: false })
  await app.register(portcullis, {
    ...sharedSettings(directory),
    login: { users: `${directory}/users.htpasswd` },
    rateLimit: { login: { perAccount: { failures: 2 } } },
  })
  app.get('/limited', { config: { rateLimit: { max: 3 } } }, async () => 'ok')
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const json = { username: 'ada', password: 'wrong' }
  for (const status of [401, 401, 429, 429]) {
    t.equal((await call(url, 'POST', '/auth/login', { json })).status, status)
  }
  for (const status of [200, 200, 200, 429]) t.equal((await call(url, 'GET', '/limited')).status, status)
})
