import fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import type { Test } from 'tap'
import portcullis from '../../src/index.js'
import type { PluginOptions } from '../../src/index.js'
import { call, home, isRefused, sharedSettings } from '../support/gateway-process.js'

async function host(t: Test, options: Partial<PluginOptions>, routes: (app: FastifyInstance) => void) {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(portcullis, { ...sharedSettings(await home(t)), ...options })
  routes(app)
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const { access_token: token, session_id } = await app.portcullis.issue({
    sub: 'u1',
    scope: 'read write',
    claims: { tenant: 't1', sub: 'not me', exp: 1 },
  })
  return { app, url, token: token!, sid: session_id }
}

t.test('as onRequest, as preHandler, and awaited in a hook of the host', async (t) => {
  let ran = 0
  const { url, token, sid } = await host(t, {}, (app) => {
    const answer = async ({ auth }: { auth: unknown }) => (ran++, { auth })
    app.get('/on-request', { onRequest: app.authenticate }, answer)
    app.get('/pre-handler', { preHandler: app.authenticate }, answer)
    app.get('/pre-handlers', { preHandler: [app.authenticate, async () => {}] }, answer)
    app.get('/awaited', { preHandler: async (request, reply) => app.authenticate(request, reply) }, answer)
    app.register(async (context) => {
      context.addHook('onRequest', async (request, reply) => {
        await app.authenticate(request, reply)
      })
      context.get('/hooked', answer)
    })
    app.get('/open', async ({ auth }) => ({ auth }))
  })
  for (const path of ['/on-request', '/pre-handler', '/pre-handlers', '/awaited', '/hooked']) {
    const { body } = await call(url, 'GET', path, { token })
    t.match(
      body.auth,
      { sub: 'u1', sid, scope: ['read', 'write'], claims: { tenant: 't1', sub: 'u1' } },
      path,
    )
    t.strictSame(
      Object.keys(body.auth).toSorted(),
      ['claims', 'expiresAt', 'issuedAt', 'jti', 'scope', 'sid', 'sub'],
      'by the contract’s names',
    )
    t.ok(body.auth.expiresAt > Date.now() / 1000, 'a claim of the host’s does not replace ours')
    const before = ran
    isRefused(t, await call(url, 'GET', path), 401, 'credentials_missing', path)
    isRefused(t, await call(url, 'GET', path, { token: 'nonsense' }), 401, 'token_malformed', path)
    t.equal(ran, before, `${path}: the handler did not run`)
  }
  t.strictSame(
    (await call(url, 'GET', '/open', { token })).body,
    { auth: null },
    'nothing is guarded unasked',
  )
})

t.test('authenticate.optional: anonymous without credentials, 401 with bad ones', async (t) => {
  const { app, url, token, sid } = await host(t, {}, (it) => {
    it.get('/maybe', { onRequest: it.authenticate.optional }, async ({ auth }) => ({
      sub: auth && auth.sub,
    }))
  })
  t.strictSame((await call(url, 'GET', '/maybe')).body, { sub: null })
  t.strictSame((await call(url, 'GET', '/maybe', { token })).body, { sub: 'u1' })
  const basic = { authorization: `Basic ${Buffer.from('a:b').toString('base64')}` }
  t.strictSame(
    (await call(url, 'GET', '/maybe', { headers: basic })).body,
    { sub: null },
    'Basic is another’s',
  )
  isRefused(t, await call(url, 'GET', '/maybe', { token: 'nonsense' }), 401, 'token_malformed')
  await app.portcullis.revoke({ sid })
  isRefused(t, await call(url, 'GET', '/maybe', { token }), 401, 'session_ended')
})

t.test('authorize demands every scope and authenticates by itself', async (t) => {
  const { url, token } = await host(t, {}, (app) => {
    const ok = async () => ({ ok: true })
    app.get('/read', { onRequest: app.authorize({ scope: 'read' }) }, ok)
    app.get('/both', { preHandler: app.authorize({ scope: ['write', 'read'] }) }, ok)
    app.get('/text', { preHandler: app.authorize({ scope: 'write read' }) }, ok)
    app.get('/admin', { preHandler: app.authorize({ scope: ['read', 'admin'] }) }, ok)
    app.get('/part', { preHandler: app.authorize({ scope: 'rea' }) }, ok)
  })
  for (const path of ['/read', '/both', '/text'])
    t.equal((await call(url, 'GET', path, { token })).status, 200, path)
  for (const path of ['/admin', '/part']) {
    const answer = await call(url, 'GET', path, { token })
    isRefused(t, answer, 403, 'insufficient_scope', path)
    t.match(answer.headers['www-authenticate'], /^Bearer .*error="insufficient_scope".*scope="/)
    isRefused(t, await call(url, 'GET', path), 401, 'credentials_missing', path)
  }
})

t.test('refusals: throw passes errors to the host’s error handler', async (t) => {
  const seen: unknown[] = []
  const { url, token } = await host(t, { refusals: 'throw' }, (app) => {
    app.setErrorHandler((error, _request, reply) => {
      const { statusCode, code, headers } = error as unknown as Record<string, unknown>
      seen.push({ statusCode, code, headers })
      return reply.code(418).send({ host: code })
    })
    app.get('/on-request', { onRequest: app.authenticate }, async () => 'passed')
    app.get('/pre-handler', { preHandler: app.authorize({ scope: 'admin' }) }, async () => 'passed')
    app.get(
      '/awaited',
      { preHandler: async (request, reply) => app.authenticate(request, reply) },
      async () => 'passed',
    )
  })
  for (const path of ['/on-request', '/pre-handler', '/awaited']) {
    t.match(await call(url, 'GET', path), { status: 418, body: { host: 'credentials_missing' } }, path)
    const challenge = { 'www-authenticate': /^Bearer realm=/ }
    t.match(seen.pop(), { statusCode: 401, code: 'credentials_missing', headers: challenge }, path)
  }
  t.match(await call(url, 'GET', '/pre-handler', { token }), { status: 418 })
  t.match(seen.pop(), {
    statusCode: 403,
    code: 'insufficient_scope',
    headers: { 'www-authenticate': /scope="admin"/ },
  })
  isRefused(
    t,
    await call(url, 'GET', '/auth/me', { token: 'x' }),
    401,
    'token_malformed',
    'our own routes answer',
  )
})

t.test('refusals: throw without an error handler: Fastify sends status and headers', async (t) => {
  const { url } = await host(t, { refusals: 'throw' }, (app) => {
    app.get('/guarded', { onRequest: app.authenticate }, async () => 'passed')
  })
  const answer = await call(url, 'GET', '/guarded')
  t.match(answer, { status: 401, body: { statusCode: 401, code: 'credentials_missing' } })
  t.match(answer.headers['www-authenticate'], /^Bearer realm=/)
})

t.test('a guard as onRequest refuses before the body is read', async (t) => {
  let parsed = 0
  const { url } = await host(t, {}, (app) => {
    app.addContentTypeParser(
      'text/plain',
      { parseAs: 'string' },
      async (_: unknown, body: string | Buffer) => (parsed++, body),
    )
    app.post('/guarded', { onRequest: app.authenticate }, async () => 'passed')
  })
  const headers = { 'content-type': 'text/plain' }
  isRefused(t, await call(url, 'POST', '/guarded', { body: 'x', headers }), 401, 'credentials_missing')
  t.equal(parsed, 0)
})

t.test('a WebSocket handshake by cookie from another site is refused by the plugin’s guard', async (t) => {
  const { app, token } = await host(t, {}, (it) => {
    it.get('/socket', { onRequest: it.authenticate }, async () => 'open')
  })
  const handshake = (origin: string) =>
    app.inject({
      url: '/socket',
      headers: {
        host: 'app.example',
        cookie: `__Host-access=${token}`,
        origin,
        connection: 'upgrade',
        upgrade: 'websocket',
      },
    })
  const refused = await handshake('https://evil.example')
  t.equal(refused.statusCode, 403)
  t.equal(refused.json().code, 'cross_site_request')
  t.equal((await handshake('https://app.example')).statusCode, 200)
})
