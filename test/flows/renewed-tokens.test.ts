/** `tokens.renewUnder` in the gateway: the response to a request whose token expires soon brings a new one. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ServerResponse } from 'node:http'
import t from 'tap'
import type { Test } from 'tap'
import { withSecondsLeft } from '../support/aged-token.js'
import {
  call,
  claimsOf,
  cookiesOf,
  home,
  logIn,
  logInByCookies,
  startGateway,
  startUpstream,
} from '../support/gateway-process.js'

const PAGE = 'https://pages.example'
const [TOKEN, EXPIRY] = ['x-renewed-access-token', 'x-renewed-expires-in'] as const
const directory = await home(t)
const settings = { tokens: { renewUnder: '1m' }, cors: { origins: [PAGE] } }
const upstream = await startUpstream(t, {
  'cache-control': 'public, max-age=600',
  'set-cookie': ['theirs=1', '__Host-access=invented; Secure; Path=/'],
})
const routes = [
  { path: '/optional', upstream: upstream.url, auth: 'optional' },
  { path: '/limited', upstream: upstream.url, rateLimit: { max: 1, per: '1m' } },
  { path: '/gone', upstream: 'http://127.0.0.1:9' },
  { path: '/', upstream: upstream.url },
]
const { url } = await startGateway(t, { ...settings, routes }, directory)

/** The tokens of a new session, and its access token as it is when it has 30 s left. */
async function dueToken() {
  const tokens = await logIn(url)
  return { tokens, token: await withSecondsLeft(directory, tokens.access_token, 30) }
}

t.test(
  'under a minute left, a proxied response brings a new token, and isn’t stored by caches',
  async (t) => {
    const { token } = await dueToken()
    for (const path of ['/guarded', '/optional']) {
      const { status, text, headers, setCookie } = await call(url, 'GET', path, { token })
      t.match({ status, text }, { status: 200, text: 'from the upstream' })
      t.equal(headers['cache-control'], 'no-store')
      t.strictSame(cookiesOf(setCookie), { theirs: '1' }, 'the upstream’s cookie')
      const renewed = String(headers[TOKEN])
      t.match(claimsOf(renewed), { sub: 'ada', sid: claimsOf(token).sid })
      t.ok(Math.abs(Number(headers[EXPIRY]) - 900) < 5)
      const next = await call(url, 'GET', path, { token: renewed })
      t.equal(next.status, 200)
      t.notOk(TOKEN in next.headers)
      t.equal(next.headers['cache-control'], 'public, max-age=600')
    }
    const seen = upstream.seen.at(-1)!.rawHeaders.join('\n')
    t.notOk(seen.includes(token.slice(0, 20)), 'the upstream sees no token')
  },
)

t.test('a token in a cookie is renewed as a cookie, besides those of the upstream', async (t) => {
  const cookies = await logInByCookies(url)
  const due = await withSecondsLeft(directory, cookies['__Host-access']!, 30)
  const { headers, setCookie } = await call(url, 'GET', '/guarded', { cookies: { '__Host-access': due } })
  const set = cookiesOf(setCookie)
  t.same(Object.keys(set).toSorted(), ['__Host-access', 'theirs'])
  t.match(claimsOf(set['__Host-access']!), { sub: 'ada', sid: claimsOf(due).sid })
  t.match(
    setCookie.find((one) => one.startsWith('__Host-access')),
    /; Max-Age=2\d{6}; Path=\/; HttpOnly; SameSite=Lax; Secure$/,
  )
  t.notOk(TOKEN in headers || EXPIRY in headers)
  t.equal(headers['cache-control'], 'no-store')
})

t.test('pages of other origins can read the headers', async (t) => {
  const { token } = await dueToken()
  const { headers } = await call(url, 'GET', '/guarded', { token, headers: { origin: PAGE } })
  t.match(headers['access-control-expose-headers'], /X-Renewed-Access-Token, X-Renewed-Expires-In/)
  const off = await startGateway(t, { ...settings, tokens: {}, routes }, directory)
  const answer = await call(off.url, 'GET', '/optional', { headers: { origin: PAGE } })
  t.notMatch(answer.headers['access-control-expose-headers'], /X-Renewed/, 'not with the setting off')
})

t.test('the gateway’s own error for an upstream that is down brings the token, too', async (t) => {
  const { token } = await dueToken()
  const { status, headers } = await call(url, 'GET', '/gone', { token })
  t.equal(status, 502)
  t.ok(headers[TOKEN])
})

t.test('a request over its rate limit gets none', async (t) => {
  const { token } = await dueToken()
  t.ok((await call(url, 'GET', '/limited', { token })).headers[TOKEN])
  const { status, headers } = await call(url, 'GET', '/limited', { token })
  t.equal(status, 429)
  t.notOk(TOKEN in headers)
})

t.test('none after a logout, and the token that was issued before is dead', async (t) => {
  const { tokens, token } = await dueToken()
  const renewed = String((await call(url, 'GET', '/guarded', { token })).headers[TOKEN])
  t.equal((await call(url, 'POST', '/auth/logout', { token: tokens.access_token })).status, 204)
  for (const dead of [token, renewed]) {
    const { status, headers } = await call(url, 'GET', '/guarded', { token: dead })
    t.equal(status, 401)
    t.notOk(TOKEN in headers)
  }
})

/** A gateway in front of an upstream whose responses the test sends itself. */
async function startHeld(t: Test, route: Record<string, unknown> = {}) {
  const server = createServer((_request, response) => void server.emit('arrived', response))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  const { port } = server.address() as AddressInfo
  const held = [{ path: '/', upstream: `http://127.0.0.1:${port}`, ...route }]
  const gateway = await startGateway(t, { ...settings, routes: held }, directory)
  const login = await logIn(gateway.url)
  const token = await withSecondsLeft(directory, login.access_token, 30)
  const arrival = async () => ((await once(server, 'arrived')) as [ServerResponse])[0]
  const request = async () => {
    const arrived = arrival()
    const answer = call(gateway.url, 'GET', '/slow', { token })
    return { answer, response: await arrived }
  }
  return { gateway, login, token, arrival, request }
}

t.test('a logout between the admission and the response: no token', async (t) => {
  const { gateway, login, request } = await startHeld(t)
  const { answer, response } = await request()
  const ended = call(gateway.url, 'POST', '/auth/logout', { token: login.access_token })
  t.equal((await ended).status, 204)
  response.end('late')
  const { headers } = await answer.catch(() => ({ headers: {} }))
  t.notOk(TOKEN in headers)
})

t.test('a route that ends the session: no token with its success, but with its failure', async (t) => {
  const { request } = await startHeld(t, { onSuccess: 'end-session' })
  const failure = await request()
  failure.response.writeHead(400).end()
  t.ok((await failure.answer).headers[TOKEN])
  const success = await request()
  success.response.end()
  const { status, headers } = await success.answer
  t.equal(status, 200)
  t.notOk(TOKEN in headers)
})

t.test('a long download has the token at its start, before its end', async (t) => {
  const { gateway, token, arrival } = await startHeld(t)
  const arrived = arrival()
  const streaming = fetch(`${gateway.url}/slow`, { headers: { authorization: `Bearer ${token}` } })
  const upstreamResponse = await arrived
  upstreamResponse.write('the first half')
  const response = await streaming
  t.ok(response.headers.get(TOKEN))
  upstreamResponse.end(', the second half')
  t.equal(await response.text(), 'the first half, the second half')
})

t.test('a response that a CDN would store in spite of no-store brings no token', async (t) => {
  for (const name of ['cdn-cache-control', 'Surrogate-Control', 'X-Accel-Expires']) {
    const cdn = await startUpstream(t, { [name]: '600' })
    const gateway = await startGateway(
      t,
      { ...settings, routes: [{ path: '/', upstream: cdn.url }] },
      directory,
    )
    const token = await withSecondsLeft(directory, (await logIn(gateway.url)).access_token, 30)
    const { status, headers } = await call(gateway.url, 'GET', '/', { token })
    t.equal(status, 200)
    t.equal(headers[name.toLowerCase()], '600')
    t.notOk(TOKEN in headers, name)
  }
})

t.test('forward-auth has the headers, but never the token of a cookie', async (t) => {
  const { token } = await dueToken()
  t.ok((await call(url, 'GET', '/auth/verify', { token })).headers[TOKEN])
  const cookies = { '__Host-access': token }
  const { status, headers, setCookie } = await call(url, 'GET', '/auth/verify', { cookies })
  t.equal(status, 200)
  t.notOk(TOKEN in headers)
  t.strictSame(setCookie, [])
})
