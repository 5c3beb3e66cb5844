/** `/auth/verify`, asked by a listed peer and by others, in the gateway and in a host's own application. */
import fastify from 'fastify'
import { METHODS } from 'node:http'
import { connect } from 'node:net'
import t from 'tap'
import { portcullis } from '../../src/index.js'
import { head } from '../support/wire.js'
import type { CallOptions } from '../support/gateway-process.js'
import {
  call,
  claimsOf,
  expired,
  home,
  isRefused,
  logIn,
  logInByCookies,
  sharedSettings,
  startGateway,
} from '../support/gateway-process.js'

const directory = await home(t)
const login = { users: `${directory}/users.htpasswd`, page: '/login' }
const LISTED = { host: '127.0.0.1', port: 0, trustProxy: ['127.0.0.0/8'] }
const routes = [
  { path: '/public', auth: 'none' },
  { path: '/maybe', auth: 'optional' },
  { path: '/admin', scope: ['admin'] },
  { path: '/limited', auth: 'none', rateLimit: { max: 2, per: '1m' } },
  { path: '/lax', targetAllow: ['double-slash'] },
  { path: '/private', methods: ['GET', 'POST'] },
]
const { url } = await startGateway(t, { listen: LISTED, login, routes }, directory)
const { access_token: token, session_id, refresh_token } = await logIn(url)

/** As Caddy and Traefik ask. */
const ask = (method: string, uri: string, options: CallOptions = {}, query = '') =>
  call(url, 'GET', `/auth/verify${query}`, {
    ...options,
    headers: { 'x-forwarded-method': method, 'x-forwarded-uri': uri, ...options.headers },
  })

t.test('200 has an empty body, the identity, and Cache-Control: no-store', async (t) => {
  for (const answer of [
    await ask('GET', '/private', { token }),
    await call(url, 'GET', '/auth/verify', { token }),
  ]) {
    t.match(answer, {
      status: 200,
      text: '',
      headers: {
        'cache-control': 'no-store',
        'x-forwarded-user': 'ada',
        'x-auth-request-session': session_id,
        'set-cookie': undefined,
      },
    })
  }
})

t.test('anonymous: 200 without identity on a route that admits anonymous requests', async (t) => {
  for (const path of ['/public', '/public/x?y', '/maybe']) {
    const { status, headers } = await ask('GET', path)
    t.strictSame(
      [status, headers['x-forwarded-user'], headers['x-auth-request-session']],
      [200, undefined, undefined],
    )
  }
  const open = await ask('GET', '/public', { token })
  t.equal(open.headers['x-forwarded-user'], undefined, 'auth: none looks at no token')
  t.equal((await ask('GET', '/maybe', { token })).headers['x-forwarded-user'], 'ada')
  isRefused(t, await ask('GET', '/maybe', { token: 'a.b.c' }), 401, 'token_malformed')
})

t.test('refused as the gateway would refuse the request itself', async (t) => {
  isRefused(t, await ask('GET', '/private'), 401, 'credentials_missing')
  isRefused(t, await ask('GET', '/private', { token: await expired(directory, token) }), 401, 'token_expired')
  isRefused(t, await ask('GET', '/admin', { token }), 403, 'insufficient_scope')
  isRefused(t, await ask('DELETE', '/private', { token }), 404, 'not_found')
  isRefused(t, await ask('GET', '/unknown', { token }), 404, 'not_found')
  isRefused(t, await ask('TRACE', '/public', { token }), 404, 'not_found')
  isRefused(t, await ask('GET', '/private/../public', { token }), 400, 'target_refused')
  isRefused(t, await ask('GET', '/private//x', { token }), 400, 'target_refused')
  t.equal((await ask('GET', '/lax//x', { token })).status, 200, 'targetAllow counts')
  for (const own of ['/auth', '/auth/login', '/auth/verify/public', '/%61uth/login']) {
    isRefused(t, await ask('GET', own, { token }), 404, 'not_found', own)
  }
})

t.test('a route’s rate limit counts its checks', async (t) => {
  for (let i = 0; i < 2; i++) t.equal((await ask('GET', '/limited')).status, 200)
  const answer = await ask('GET', '/limited')
  isRefused(t, answer, 429, 'rate_limited')
  t.match(answer.headers['retry-after'], /^\d+$/)
  const other = await ask('GET', '/limited', { headers: { 'x-forwarded-for': '203.0.113.7' } })
  t.equal(other.status, 200, 'by the client’s address, not the proxy’s')
})

t.test('a logout ends the access', async (t) => {
  const { access_token } = await logIn(url)
  t.equal((await ask('GET', '/private', { token: access_token })).status, 200)
  t.equal((await call(url, 'POST', '/auth/logout', { token: access_token })).status, 204)
  isRefused(t, await ask('GET', '/private', { token: access_token }), 401, 'session_ended')
  isRefused(t, await call(url, 'GET', '/auth/verify', { token: access_token }), 401, 'session_ended')
})

t.test('any method works, and no body is waited for', async (t) => {
  for (const method of METHODS.filter((one) => one !== 'CONNECT' && one !== 'TRACE')) {
    t.equal((await call(url, method, '/auth/verify/public')).status, 200, method)
    const guarded = ['GET', 'HEAD', 'POST'].includes(method)
    t.equal((await call(url, method, '/auth/verify/private')).status, guarded ? 401 : 404, method)
  }
  const headers = { 'content-type': 'application/json', 'content-length': '9999999' }
  const answer = await rawly(url, 'POST /auth/verify/public', headers)
  t.match(answer, /^HTTP\/1\.1 200 /)
})

t.test('it never uses a refresh token and sets no cookie', async (t) => {
  const cookies = await logInByCookies(url)
  const access = { '__Host-access': await expired(directory, cookies['__Host-access']!) }
  for (const answer of [
    await ask('GET', '/private', { cookies: { ...cookies, ...access } }),
    await ask('GET', '/private', { cookies: { '__Secure-refresh': cookies['__Secure-refresh']! } }),
    await call(url, 'POST', '/auth/verify', { json: { refresh_token } }),
  ]) {
    t.strictSame([answer.status, answer.setCookie], [401, []])
  }
  t.equal((await ask('GET', '/private', { cookies })).status, 200)
  const refreshed = await call(url, 'POST', '/auth/refresh', { json: { refresh_token } })
  t.equal(refreshed.status, 200, 'it was not spent')
  t.equal(claimsOf((refreshed.body as { access_token: string }).access_token).sid, session_id)
})

t.test('a listed peer without an original request: only the token is verified', async (t) => {
  isRefused(t, await call(url, 'GET', '/auth/verify'), 401, 'credentials_missing')
  t.equal((await call(url, 'POST', '/auth/verify?mode=redirect', { token })).status, 200)
})

t.test('an unlisted peer: only the token is verified, whatever it sends', async (t) => {
  for (const trustProxy of [[], ['10.0.0.0/8', '2000::/3']]) {
    const other = await startGateway(t, { listen: { ...LISTED, trustProxy }, login, routes }, directory)
    const own = (await logIn(other.url)).access_token
    for (const [path, headers] of [
      ['/auth/verify', { 'x-forwarded-method': 'GET', 'x-forwarded-uri': '/public' }],
      ['/auth/verify', { 'x-original-method': 'GET', 'x-original-uri': '/public' }],
      [
        '/auth/verify?mode=redirect',
        { 'x-original-uri': '/public', 'x-forwarded-uri': '/public', accept: 'text/html' },
      ],
      ['/auth/verify/public', { 'x-forwarded-for': '127.0.0.1' }],
    ] as [string, Record<string, string>][]) {
      isRefused(t, await call(other.url, 'GET', path, { headers }), 401, 'credentials_missing')
      t.equal((await call(other.url, 'GET', path, { headers, token: own })).status, 200)
    }
    const headers = { 'x-forwarded-method': 'GET', 'x-forwarded-uri': '/admin' }
    t.equal(
      (await call(other.url, 'GET', '/auth/verify', { headers, token: own })).status,
      200,
      'no route is looked up',
    )
  }
})

t.test('?mode=redirect redirects browsers that open a page to the login', async (t) => {
  const browser = { headers: { accept: 'text/html,*/*;q=0.8' } }
  const sent = await ask('GET', '/private/a?b=c&d=%2F', browser, '?mode=redirect')
  t.match(sent, {
    status: 302,
    text: '',
    headers: { location: '/login?next=%2Fprivate%2Fa%3Fb%3Dc%26d%3D%252F', 'cache-control': 'no-store' },
  })
  isRefused(t, await ask('POST', '/private', browser, '?mode=redirect'), 401, 'credentials_missing', 'a POST')
  isRefused(t, await ask('GET', '/private', {}, '?mode=redirect'), 401, 'credentials_missing', 'a program')
  isRefused(t, await ask('GET', '/private', browser), 401, 'credentials_missing', 'where it isn’t asked for')
  isRefused(t, await ask('GET', '/admin', { ...browser, token }, '?mode=redirect'), 403, 'insufficient_scope')
  isRefused(t, await ask('GET', '/unknown', browser, '?mode=redirect'), 404, 'not_found')
  t.equal((await ask('GET', '/public', browser, '?mode=redirect')).status, 200)
  const inPath = await call(url, 'GET', '/auth/verify/private?mode=redirect', browser)
  isRefused(t, inPath, 401, 'credentials_missing', 'the query behind a path is the original’s')
})

t.test('login.page may be on another origin, have a query, or be absent', async (t) => {
  const headers = { 'x-forwarded-method': 'GET', 'x-forwarded-uri': '/private', accept: 'text/html' }
  for (const [page, location] of [
    ['https://login.example.com/', 'https://login.example.com/?next=%2Fprivate'],
    ['/login?theme=dark', '/login?theme=dark&next=%2Fprivate'],
    [undefined, undefined],
  ]) {
    const settings = { listen: LISTED, login: { users: login.users, ...(page && { page }) }, routes }
    const other = await startGateway(t, settings, directory)
    const answer = await call(other.url, 'GET', '/auth/verify?mode=redirect', { headers })
    t.strictSame([answer.status, answer.headers['location']], [page ? 302 : 401, location])
  }
})

t.test('in a host’s application only the token is verified', async (t) => {
  const app = fastify({ trustProxy: true })
  await app.register(portcullis, sharedSettings(directory))
  t.teardown(() => app.close())
  await app.listen({ host: '127.0.0.1', port: 0 })
  const host = app.listeningOrigin
  const own = await app.portcullis.issue({ sub: 'eve' })
  const told = { 'x-forwarded-method': 'GET', 'x-forwarded-uri': '/public' }
  for (const path of ['/auth/verify', '/auth/verify/public?x']) {
    isRefused(t, await call(host, 'GET', path, { headers: told }), 401, 'credentials_missing')
    const { status, headers } = await call(host, 'POST', path, { headers: told, token: own.access_token! })
    t.strictSame([status, headers['x-forwarded-user']], [200, 'eve'])
  }
  t.notOk(app.supportedMethods.includes('PROPFIND'), 'its methods stay as they were')
})

t.test('a claim that no header can carry is refused, other text is sent as UTF-8', async (t) => {
  const identity = { headers: { 'X-Name': 'name' } }
  const app = fastify()
  await app.register(portcullis, { ...sharedSettings(directory), identity })
  t.teardown(() => app.close())
  await app.listen({ host: '127.0.0.1', port: 0 })
  const verify = async (claims: Record<string, unknown>) => {
    const issued = await app.portcullis.issue({ sub: 'eve', claims })
    return call(app.listeningOrigin, 'GET', '/auth/verify', { token: issued.access_token! })
  }
  for (const name of ['a\r\nX-Role: admin', 'a\n', ' a', 'a\0b', '\ud800']) {
    isRefused(t, await verify({ name }), 401, 'token_invalid', JSON.stringify(name))
  }
  const { headers } = await verify({ name: 'Zoë 東' })
  t.equal(Buffer.from(String(headers['x-name']), 'latin1').toString(), 'Zoë 東')
  t.equal((await verify({})).headers['x-name'], undefined)
})

/** Sends a head alone, and gives the first line of what comes. */
async function rawly(base: string, request: string, headers: Record<string, string>): Promise<string> {
  const socket = connect(Number(new URL(base).port), '127.0.0.1')
  socket.write(
    head(`${request} HTTP/1.1`, 'Host: x', ...Object.entries(headers).map((pair) => pair.join(': '))),
  )
  return new Promise((resolve) => {
    socket.once('data', (chunk) => {
      resolve(chunk.toString())
      socket.destroy()
    })
  })
}
