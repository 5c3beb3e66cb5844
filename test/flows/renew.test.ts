/** The single scheme over HTTP: one access token, which is exchanged for the next one. */
import fastify from 'fastify'
import t from 'tap'
import { authenticate, portcullis } from '../../src/index.js'
import type { PluginOptions } from '../../src/index.js'
import { home, sharedSettings } from '../support/gateway-process.js'
import { claimsOf } from '../support/sessions.js'

const login = ({ username, password }: { username: string; password: string }) =>
  password === 'right' ? { sub: username } : null

async function openApp(options: Partial<PluginOptions> = {}) {
  const app = fastify()
  t.teardown(() => app.close())
  const settings = { ...sharedSettings(await home(t)), login, tokens: { scheme: 'single' }, ...options }
  await app.register(portcullis, settings as PluginOptions)
  app.get('/guarded', { onRequest: authenticate }, async (request) => request.auth?.sub)
  await app.ready()
  const post = (url: string, { token, json = {}, headers = {} }: Call = {}) =>
    app.inject({
      method: 'POST',
      url,
      payload: json,
      headers: { ...(token !== undefined && { authorization: `Bearer ${token}` }), ...headers },
    })
  return { app, post }
}

interface Call {
  token?: string
  json?: object
  headers?: Record<string, string>
}

const ADA = { username: 'ada', password: 'right' }

t.test('a login and a renewal return one token, and how long the session lasts', async (t) => {
  const { app, post } = await openApp()
  const first = (await post('/auth/login', { json: ADA })).json()
  const fields = ['access_token', 'expires_in', 'session_expires_in', 'session_id', 'token_type']
  t.same(Object.keys(first).toSorted(), fields)
  t.equal(first.session_expires_in, 72 * 3600)
  const renewed = await post('/auth/renew', { token: first.access_token })
  t.equal(renewed.statusCode, 200)
  t.equal(renewed.headers['cache-control'], 'no-store')
  const next = renewed.json()
  t.same(Object.keys(next).toSorted(), fields)
  t.equal(next.session_id, first.session_id)
  for (const token of [first.access_token, next.access_token]) {
    const { statusCode } = await app.inject({
      url: '/guarded',
      headers: { authorization: `Bearer ${token}` },
    })
    t.equal(statusCode, 200)
  }
  const again = (await post('/auth/renew', { token: first.access_token })).json()
  t.strictSame(claimsOf(again.access_token), claimsOf(next.access_token), 'a retry')
})

t.test('after a logout, the token can’t be renewed', async (t) => {
  const { post } = await openApp()
  const { access_token: token } = (await post('/auth/login', { json: ADA })).json()
  t.equal((await post('/auth/logout', { token })).statusCode, 204)
  const renewal = await post('/auth/renew', { token })
  t.equal(renewal.statusCode, 401)
  t.equal(renewal.json().code, 'session_ended')
})

t.test('a renewal by cookie sets the next cookie, with the lifetime of the session', async (t) => {
  const { post } = await openApp()
  const headers = { origin: 'http://localhost:80', host: 'localhost' }
  const logIn = (remember: boolean) =>
    post('/auth/login', { json: { ...ADA, cookies: true, remember }, headers })
  for (const remember of [true, false]) {
    const { cookies } = await logIn(remember)
    t.equal(cookies.length, 1, 'there is no refresh cookie')
    const [cookie] = cookies
    t.equal(cookie!.maxAge, remember ? 72 * 3600 : undefined)
    const sent = { ...headers, cookie: `${cookie!.name}=${cookie!.value}` }
    const renewed = await post('/auth/renew', { headers: sent })
    t.equal(renewed.statusCode, 200)
    t.notOk('access_token' in renewed.json())
    t.equal(renewed.cookies[0]?.maxAge, remember ? renewed.json().session_expires_in : undefined)
    const crossSite = await post('/auth/renew', { headers: { ...sent, origin: 'https://evil.example' } })
    t.equal(crossSite.json().code, 'cross_site_request')
  }
})

t.test('a final refusal of a renewal by cookie clears the cookie', async (t) => {
  const { app, post } = await openApp()
  const headers = { origin: 'http://localhost:80', host: 'localhost' }
  const { cookies, ...response } = await post('/auth/login', { json: { ...ADA, cookies: true }, headers })
  await app.portcullis.revoke({ sid: response.json().session_id })
  const sent = { ...headers, cookie: `${cookies[0]!.name}=${cookies[0]!.value}` }
  const refused = await post('/auth/renew', { headers: sent })
  t.equal(refused.statusCode, 401)
  t.equal(refused.cookies[0]?.maxAge, 0)
})

t.test('without a token, with a foreign one, and with two, nothing is renewed', async (t) => {
  const { post } = await openApp()
  t.equal((await post('/auth/renew')).json().code, 'credentials_missing')
  t.equal((await post('/auth/renew', { token: 'a.b.c' })).json().code, 'token_malformed')
  const { access_token: token } = (await post('/auth/login', { json: ADA })).json()
  const forged = `${token.slice(0, -6)}AAAAAA`
  t.equal((await post('/auth/renew', { token: forged })).json().code, 'token_invalid')
  const two = { cookie: `__Host-access=${token}` }
  t.equal((await post('/auth/renew', { token, headers: two })).json().code, 'credentials_ambiguous')
})

t.test('each scheme has only its own route', async (t) => {
  const single = await openApp()
  t.equal((await single.post('/auth/refresh')).statusCode, 404)
  const dual = await openApp({ tokens: {} })
  t.equal((await dual.post('/auth/renew')).statusCode, 404)
  const { access_token: token } = (await dual.post('/auth/login', { json: ADA })).json()
  await t.rejects(dual.app.portcullis.renew(token), { name: 'TypeError', message: /tokens\.scheme: single/ })
})

t.test('a host renews tokens by itself, and issues shorter lives', async (t) => {
  const { app } = await openApp()
  const { portcullis: gate } = app
  const first = await gate.issue({ sub: 7, access: '5m', refresh: '1h' })
  t.equal(first.expires_in, 300)
  t.equal(first.session_expires_in, 3600)
  const next = await gate.renew(first.access_token!, { ip: '203.0.113.9' })
  t.equal(next.expires_in, 300)
  t.equal(claimsOf(next.access_token!).sub, '7')
  await t.rejects(gate.issue({ sub: 7, access: '16m' }), { message: /^access: at most 15m/ })
  await t.rejects(gate.issue({ sub: 7, access: 'soon' }), { name: 'TypeError', message: /^access: / })
  await t.rejects(gate.issue({ sub: 7, access: '1500ms' }), { message: /whole seconds/ })
  await t.rejects(gate.issue({ sub: 7, refresh: '31d' }), { message: /^refresh: at most 30d/ })
  const misspelt = { sub: 7, scopes: 'read' } as { sub: number }
  await t.rejects(gate.issue(misspelt), { name: 'TypeError', message: /unknown field scopes/ })
})

t.test('a host may pass on what a client sent instead of a token', async (t) => {
  const { app } = await openApp()
  const { renew, verifyToken } = app.portcullis
  for (const method of [renew, verifyToken] as ((token: unknown) => Promise<unknown>)[]) {
    await t.rejects(method(undefined), { code: 'credentials_missing', statusCode: 401 })
    await t.rejects(method(''), { code: 'token_malformed', statusCode: 401 })
    for (const wrong of [null, 5, {}, ['a.b.c']])
      await t.rejects(method(wrong), { code: 'invalid_request', statusCode: 400 })
  }
})
