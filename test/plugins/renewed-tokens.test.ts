/** `tokens.renewUnder` in an application: the response to a request whose token expires soon brings a new one. */
import { Readable } from 'node:stream'
import fastify from 'fastify'
import t from 'tap'
import type { Test } from 'tap'
import { authenticate, authorize, portcullis } from '../../src/index.js'
import type { PluginOptions } from '../../src/index.js'
import { withSecondsLeft } from '../support/aged-token.js'
import { claimsOf, home, sharedSettings } from '../support/gateway-process.js'

const HEADERS = ['x-renewed-access-token', 'x-renewed-expires-in'] as const

async function openApp(t: Test, options: Partial<PluginOptions> = {}) {
  const directory = await home(t)
  const app = fastify()
  t.teardown(() => app.close())
  const shared = sharedSettings(directory)
  const renewal = { tokens: { renewUnder: '1m' }, cookies: { secure: false } }
  const login = ({ username }: { username: string }) => ({ sub: username, scope: 'read' })
  await app.register(portcullis, { ...shared, ...renewal, login, ...options })
  app.get('/guarded', { onRequest: authenticate }, async (request) => request.auth!.sub)
  app.get('/optional', { onRequest: authenticate.optional }, async (request) => request.auth?.sub ?? 'nobody')
  app.get('/admin', { onRequest: authorize({ scope: 'admin' }) }, async () => 'welcome')
  app.get('/public', async () => 'hello')
  const tokens = await app.portcullis.issue({ sub: 'alice', scope: 'read' })
  const fresh = tokens.access_token!
  const due = await withSecondsLeft(directory, fresh, 30)
  const get = (url: string, token: string) =>
    app.inject({ url, headers: { authorization: `Bearer ${token}` } })
  const getByCookie = (url: string, token: string) =>
    app.inject({ url, headers: { cookie: `access=${token}` } })
  return { app, directory, tokens, fresh, due, get, getByCookie }
}

t.test('under a minute left, the response brings a new token', async (t) => {
  const { get, due } = await openApp(t)
  const first = await get('/guarded', due)
  t.match(first, { statusCode: 200, body: 'alice' })
  const renewed = String(first.headers[HEADERS[0]])
  t.equal(first.headers['cache-control'], 'no-store')
  const { sid, sub, exp, scope } = claimsOf(renewed)
  t.match(claimsOf(due), { sid, sub, scope })
  t.ok(Math.abs(Number(first.headers[HEADERS[1]]) - (exp - Date.now() / 1000)) < 3)
  t.ok(exp > claimsOf(due).exp + 600)
  t.equal(first.headers['set-cookie'], undefined)
  const again = await Promise.all([1, 2, 3].map(() => get('/optional', due)))
  for (const { headers } of again) t.equal(headers[HEADERS[0]], renewed, 'the same token')
  const next = await get('/guarded', renewed)
  t.match(next, { statusCode: 200, body: 'alice' })
  t.notOk(
    HEADERS.some((name) => name in next.headers),
    'a fresh token isn’t renewed',
  )
})

t.test('a token in a cookie is renewed as a cookie', async (t) => {
  const { getByCookie, due, tokens } = await openApp(t)
  const { headers, cookies } = await getByCookie('/guarded', due)
  t.notOk(
    HEADERS.some((name) => name in headers),
    'no script can read it',
  )
  t.equal(cookies.length, 1)
  t.match(cookies[0], { name: 'access', path: '/', httpOnly: true })
  t.ok(Math.abs(Number(cookies[0]!.maxAge) - tokens.refresh_expires_in!) < 5)
  t.equal(headers['cache-control'], 'no-store')
  t.match(await getByCookie('/guarded', cookies[0]!.value), { statusCode: 200, cookies: [] })
})

t.test('the cookie of a session that ends with the browser does so, too', async (t) => {
  const { app, getByCookie, directory } = await openApp(t)
  const login = await app.inject({
    method: 'POST',
    url: '/auth/login',
    headers: { origin: 'http://localhost:80', host: 'localhost' },
    payload: { username: 'alice', password: 'p', cookies: true, remember: false },
  })
  const access = login.cookies.find(({ name }) => name === 'access')!
  const { cookies } = await getByCookie('/guarded', await withSecondsLeft(directory, access.value, 30))
  t.equal(cookies.length, 1)
  t.equal(cookies[0]!.maxAge, undefined)
})

t.test('none on a route without a guard, for a refused request, and with the setting off', async (t) => {
  const { get, due, fresh } = await openApp(t)
  const off = await openApp(t, { tokens: {} })
  for (const [response, status] of [
    [await get('/public', due), 200],
    [await get('/admin', due), 403],
    [await get('/guarded', fresh), 200],
    [await off.get('/guarded', off.due), 200],
  ] as const) {
    t.equal(response.statusCode, status)
    t.notOk(HEADERS.some((name) => name in response.headers))
    t.notOk(String(response.headers['cache-control'] ?? '').includes('no-store') && status === 200)
  }
})

t.test('none after a logout, also if the logout comes between the admission and the response', async (t) => {
  for (const kind of ['header', 'cookie'] as const) {
    const { app, get, getByCookie, due, tokens } = await openApp(t)
    const send = kind === 'header' ? get : getByCookie
    app.get('/leave', { onRequest: authenticate }, async () => {
      await app.portcullis.logout({ accessToken: tokens.access_token! })
      return 'bye'
    })
    const before = (await send('/guarded', due)).headers
    const last = await send('/leave', due)
    t.match(last, { statusCode: 200, body: 'bye' })
    t.notOk(HEADERS.some((name) => name in last.headers))
    t.equal(last.headers['set-cookie'], undefined)
    const renewed =
      kind === 'header'
        ? String(before[HEADERS[0]])
        : /access=([^;]+)/.exec(String(before['set-cookie']))![1]!
    for (const token of [due, renewed]) {
      const refused = await send('/guarded', token)
      t.equal(refused.statusCode, 401)
      t.notOk(HEADERS.some((name) => name in refused.headers))
    }
  }
})

t.test(
  'the user ends the own session by DELETE /auth/sessions/:sid, whose response brings none',
  async (t) => {
    const { app, due, tokens, get } = await openApp(t)
    t.ok((await get('/auth/me', due)).headers[HEADERS[0]], 'the responses of other own routes do')
    const url = `/auth/sessions/${tokens.session_id}`
    const response = await app.inject({ method: 'DELETE', url, headers: { authorization: `Bearer ${due}` } })
    t.equal(response.statusCode, 204)
    t.notOk(HEADERS.some((name) => name in response.headers))
  },
)

t.test(
  'a new login in the same response isn’t undone by the renewed cookie of the old session',
  async (t) => {
    const { app, due, getByCookie } = await openApp(t)
    app.get('/switch', { onRequest: authenticate.optional }, async (_request, reply) => {
      app.portcullis.setCookies(reply, await app.portcullis.issue({ sub: 'bob' }))
      return 'now bob'
    })
    const { cookies } = await getByCookie('/switch', due)
    const access = cookies.filter(({ name }) => name === 'access')
    t.equal(access.length, 1)
    t.equal(claimsOf(access[0]!.value).sub, 'bob')
  },
)

t.test('no shared cache gets the token, whatever the handler says', async (t) => {
  const { app, due, get } = await openApp(t)
  app.get('/cached', { onRequest: authenticate.optional }, async (_request, reply) => {
    reply.header('cache-control', 'public, max-age=600')
    return 'a picture'
  })
  app.get('/edge', { onRequest: authenticate.optional }, async (_request, reply) => {
    reply.header('cdn-cache-control', 'max-age=600')
    return 'a picture'
  })
  const cached = await get('/cached', due)
  t.equal(cached.headers['cache-control'], 'no-store')
  t.ok(cached.headers[HEADERS[0]])
  const edge = await get('/edge', due)
  t.match(edge, { statusCode: 200, headers: { 'cdn-cache-control': 'max-age=600' } })
  t.notOk(HEADERS.some((name) => name in edge.headers))
})

t.test('a stream has the headers at its start', async (t) => {
  const { app, due, get } = await openApp(t)
  app.get('/events', { onRequest: authenticate }, async (_request, reply) => {
    reply.header('content-type', 'text/event-stream')
    return reply.send(Readable.from(['data: 1\n\n', 'data: 2\n\n']))
  })
  const { headers, body } = await get('/events', due)
  t.equal(body, 'data: 1\n\ndata: 2\n\n')
  t.ok(headers[HEADERS[0]])
})

t.test('forward-auth has the headers, but never the token of a cookie', async (t) => {
  const { due, get, getByCookie } = await openApp(t)
  t.ok((await get('/auth/verify', due)).headers[HEADERS[0]])
  const { statusCode, headers } = await getByCookie('/auth/verify', due)
  t.equal(statusCode, 200)
  t.notOk(HEADERS.some((name) => name in headers))
  t.equal(headers['set-cookie'], undefined)
})

t.test('a WebSocket handshake gets none, and neither does verifyToken', async (t) => {
  const { app, due } = await openApp(t)
  const events: string[] = []
  app.portcullis.events.on('*', ({ event }) => events.push(event))
  const response = await app.inject({
    url: '/guarded',
    headers: {
      authorization: `Bearer ${due}`,
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
      'sec-websocket-version': '13',
    },
  })
  t.notOk(HEADERS.some((name) => name in response.headers))
  t.equal((await app.portcullis.verifyToken(due)).sub, 'alice')
  t.same(events, [], 'nothing was renewed')
})

t.test('in the single scheme, POST /auth/renew takes the new token', async (t) => {
  const { app, due, get } = await openApp(t, { tokens: { scheme: 'single', renewUnder: '1m' } })
  const renew = (token: string) =>
    app.inject({ method: 'POST', url: '/auth/renew', headers: { authorization: `Bearer ${token}` } })
  const slid = String((await get('/guarded', due)).headers[HEADERS[0]])
  const next = await renew(slid)
  t.equal(next.statusCode, 200)
  t.equal((await get('/guarded', next.json().access_token)).statusCode, 200)
  t.strictSame(
    claimsOf((await renew(due)).json().access_token),
    claimsOf(next.json().access_token),
    'the old one, too',
  )
})
