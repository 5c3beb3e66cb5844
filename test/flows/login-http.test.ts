import fastify from 'fastify'
import t from 'tap'
import portcullis from '../../src/index.js'
import {
  call,
  claimsOf,
  home,
  isRefused,
  sharedSettings,
  startGateway,
  startUpstream,
} from '../support/gateway-process.js'
import { answers, gatewayFor, mapping, startLegacyApi } from '../support/legacy-login-api.js'

const ada = { username: 'ada', password: 'gate & keeper=1843' }
const good = { ok: true, data: { user: { id: 42, role: 'clerk' }, scope: 'read write' } }

t.test('the legacy API decides who may log in and returns the identity', async (t) => {
  const api = await startLegacyApi(t, answers(200, good))
  const upstream = await startUpstream(t)
  const { url } = await gatewayFor(
    t,
    api,
    {},
    {
      identity: { headers: { 'X-User': '{sub}/{role}' } },
      routes: [{ path: '/', upstream: upstream.url, scope: ['write'] }],
    },
  )
  const { status, body } = await call(url, 'POST', '/auth/login', {
    json: { ...ada, device: 'phone' },
    headers: {
      cookie: 'legacy=1',
      authorization: 'Basic YTpi',
      'x-forwarded-for': '203.0.113.9',
      'user-agent': 'curl/8',
    },
  })
  t.equal(status, 200)
  t.match(claimsOf(body.access_token), { sub: '42', role: 'clerk', scope: 'read write' })
  t.equal((await call(url, 'GET', '/', { token: body.access_token })).status, 200)
  t.equal(upstream.seen[0]!.headers['x-user'], '42/clerk')

  const [asked, ...more] = api.calls
  t.strictSame(more, [], 'asked once')
  t.match(asked, { method: 'POST', target: '/legacy/login' })
  t.strictSame(JSON.parse(asked!.body), ada)
  const ofTheConnection = new Set(['host', 'connection', 'content-length'])
  const headers = Object.entries(asked!.headers).filter(([name]) => !ofTheConnection.has(name))
  t.strictSame(
    Object.fromEntries(headers),
    {
      accept: 'application/json',
      'content-type': 'application/json',
      'user-agent': 'portcullis',
      'x-forwarded-for': '127.0.0.1',
    },
    'of the client the address alone, as the gateway knows it',
  )

  const { refresh_token } = body
  const refreshed = await call(url, 'POST', '/auth/refresh', { json: { refresh_token } })
  t.match(claimsOf(refreshed.body.access_token), { sub: '42', role: 'clerk', scope: 'read write' })
  t.equal(api.calls.length, 1, 'a refresh doesn’t ask it again')
})

t.test('as a form with its own fields and a query', async (t) => {
  const api = await startLegacyApi(t, answers(201, { id: 'u1' }))
  const http = { body: 'form', username: 'user[name]', password: '__proto__', subject: '/id', claims: {} }
  const { url } = await gatewayFor(t, { ...api, url: `${api.url}?v=2` }, http)
  const answer = await call(url, 'POST', '/auth/login', { form: ada })
  t.equal(claimsOf(answer.body.access_token).sub, 'u1')
  t.match(api.calls[0], {
    target: '/legacy/login?v=2',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  })
  t.strictSame(
    [...new URLSearchParams(api.calls[0]!.body)],
    [
      ['user[name]', ada.username],
      ['__proto__', ada.password],
    ],
  )
})

t.test('a refusal is 401 and counts as a failed login', async (t) => {
  const api = await startLegacyApi(t, answers(401))
  for (const [status, body] of [
    [400, ''],
    [401, { error: 'no such user' }],
    [403, 'x'.repeat(100_000)],
    [404, '<html>'],
    [422, ''],
    [200, { ok: false }],
    [200, { data: { user: null } }],
    [200, { data: { user: { id: null } } }],
  ] as const) {
    api.behave = answers(status, body)
    const { url } = await gatewayFor(t, api, {}, { rateLimit: { login: { perAccount: { failures: 2 } } } })
    const what = `${status} ${JSON.stringify(body).slice(0, 30)}`
    for (const spelling of ['ada', 'ADA'])
      isRefused(
        t,
        await call(url, 'POST', '/auth/login', { json: { ...ada, username: spelling } }),
        401,
        'invalid_credentials',
        what,
      )
    const calls = api.calls.length
    isRefused(t, await call(url, 'POST', '/auth/login', { json: ada }), 429, 'rate_limited', what)
    t.equal(api.calls.length, calls, 'it isn’t asked any more')
  }
})

t.test('its own rate limit is passed on, with a bounded wait', async (t) => {
  const api = await startLegacyApi(t, answers(429))
  const { url } = await gatewayFor(t, api, {}, { rateLimit: { login: { perAccount: { failures: 1 } } } })
  for (const [told, passed] of [
    ['7', '7'],
    ['0', '1'],
    ['99999999', '3600'],
    ['999999999999999', '1'],
    ['-1', '1'],
    ['Wed, 21 Oct 2026 07:28:00 GMT', '1'],
    ['1\t2', '1'],
  ] as const) {
    api.behave = answers(429, '', { 'retry-after': told })
    const answer = await call(url, 'POST', '/auth/login', { json: ada })
    isRefused(t, answer, 429, 'rate_limited', told)
    t.equal(answer.headers['retry-after'], passed, told)
  }
  api.behave = answers(429)
  t.equal((await call(url, 'POST', '/auth/login', { json: ada })).headers['retry-after'], '1')
  t.equal(api.calls.length, 8, 'it is no failed guess of ours')
})

t.test('JSON pointers read only own members of the response', async (t) => {
  const answer = '{"id":"u1","__proto__":{"role":"admin"},"list":["a"],"deep":{"__proto__":{"role":"admin"}}}'
  const api = await startLegacyApi(t, answers(200, answer))
  const claims = {
    a: '/role',
    b: '/constructor/name',
    c: '/list/length',
    d: '/deep/role',
    e: '/toString',
    f: '/list/0',
    g: '/id/length',
  }
  const { url } = await gatewayFor(t, api, { subject: '/id', claims })
  const { body } = await call(url, 'POST', '/auth/login', { json: ada })
  const { a, b, c, d, e, f, g, role } = claimsOf(body.access_token)
  t.strictSame({ a, b, c, d, e, f, g, role }, { f: 'a', ...absent('a', 'b', 'c', 'd', 'e', 'g', 'role') })
  t.equal(({} as Record<string, unknown>)['role'], undefined)
})

const absent = (...names: string[]) => Object.fromEntries(names.map((name) => [name, undefined]))

t.test('a host’s application can use login.http, too', async (t) => {
  const api = await startLegacyApi(t, answers(200, good))
  const app = fastify()
  t.teardown(() => app.close())
  const login = { http: { url: api.url, ...mapping } }
  await app.register(portcullis, { ...sharedSettings(await home(t)), login })
  app.get('/me', { preHandler: app.authenticate }, async ({ auth }) => ({ sub: auth!.sub }))
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const { body } = await call(url, 'POST', '/auth/login', { json: ada })
  t.strictSame((await call(url, 'GET', '/me', { token: body.access_token })).body, { sub: '42' })
  api.behave = answers(401)
  isRefused(t, await call(url, 'POST', '/auth/login', { json: ada }), 401, 'invalid_credentials')
})

t.test('without login.http or users there is no login', async (t) => {
  const { url } = await startGateway(t, { login: {} })
  t.equal((await call(url, 'POST', '/auth/login', { json: ada })).status, 404)
})
