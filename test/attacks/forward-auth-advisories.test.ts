/**
 * Published holes of forward-auth in other programs, tried here. Those about redirects (oauth2-proxy CVE-2020-4037,
 * -5233, -11053, CVE-2021-21291) are in forward-auth-redirect.test.ts; those about the identity on its way from the
 * proxy to the application (Caddy GHSA-7r4p-vjf4-gxv4, Traefik GHSA-x677-9fxg-v5c5, CVE-2026-88879) in test/flows,
 * with real proxies.
 */
import t from 'tap'
import {
  call,
  isRefused,
  logIn,
  logInByCookies,
  startGateway,
  startUpstream,
} from '../support/gateway-process.js'
import { head, send } from '../support/wire.js'

const upstream = await startUpstream(t)
const routes = [
  { path: '/public', auth: 'none' },
  { path: '/ready', auth: 'none' },
  { path: '/foo/public/bar', auth: 'none' },
  { path: '/admin', scope: ['admin'], upstream: upstream.url },
  { path: '/' },
]
const at = async (trustProxy: readonly string[]) =>
  (await startGateway(t, { listen: { host: '127.0.0.1', port: 0, trustProxy }, routes })).url
const url = await at(['127.0.0.1'])
const port = Number(new URL(url).port)
const { access_token: token } = await logIn(url)

const ask = (uri: string, headers: Record<string, string> = {}, bearer?: string) =>
  call(url, 'GET', '/auth/verify', {
    token: bearer,
    headers: { 'x-forwarded-method': 'GET', 'x-forwarded-uri': uri, ...headers },
  })

t.test('oauth2-proxy GHSA-7x63-xv5r-3p2x: X-Forwarded-Uri of any client opened a guarded path', async (t) => {
  const told = ['uri', 'path', 'method'].map((part) => [
    `x-forwarded-${part}`,
    part === 'method' ? 'GET' : '/public',
  ])
  const others = ['x-original-uri', 'x-original-url', 'x-rewrite-url', 'x-envoy-original-path']
  const headers = Object.fromEntries([...told, ...others.map((name) => [name, '/public'])])
  for (const trustProxy of [[], ['10.0.0.0/8']]) {
    const base = await at(trustProxy)
    isRefused(t, await call(base, 'GET', '/auth/verify', { headers }), 401, 'credentials_missing')
    isRefused(t, await call(base, 'GET', '/admin', { headers }), 401, 'credentials_missing', 'proxied')
  }
  isRefused(
    t,
    await call(url, 'GET', '/admin', { headers }),
    401,
    'credentials_missing',
    'proxied, by a listed peer',
  )
})

t.test('oauth2-proxy GHSA-7rh7-c77v-6434: a query that looks like an open path', async (t) => {
  for (const uri of [
    '/admin?/public',
    '/admin?x=/public',
    '/x?/../public',
    '/admin/?path=/public/../public',
  ]) {
    isRefused(t, await ask(uri), 401, 'credentials_missing', uri)
    isRefused(t, await call(url, 'GET', `/auth/verify${uri}`), 401, 'credentials_missing', uri)
  }
})

t.test('oauth2-proxy GHSA-pxq7-h93f-9jrg: a fragment widened an open path', async (t) => {
  for (const uri of [
    '/admin#/public',
    '/foo/secret%23/bar',
    '/foo/secret#/public/bar',
    '/public/..%23/admin',
  ]) {
    isRefused(t, await ask(uri), 400, 'target_refused', uri)
    const sent = await send(port, head(`GET /auth/verify${uri} HTTP/1.1`, 'Host: x', 'Connection: close'))
    t.strictSame(sent.statuses, [400], uri)
  }
})

t.test('oauth2-proxy GHSA-5hvv-m4w4-gf6v: the user agent or the path of a health check', async (t) => {
  const base = await at([])
  for (const path of ['/auth/verify/healthz', '/auth/verify/ready', '/auth/verify/ping?x']) {
    isRefused(t, await call(base, 'GET', path), 401, 'credentials_missing', path)
  }
  isRefused(t, await call(url, 'GET', '/auth/verify/healthz'), 401, 'credentials_missing')
  for (const agent of ['GoogleHC/1.0', 'kube-probe/1.30', 'ELB-HealthChecker/2.0']) {
    isRefused(t, await ask('/x', { 'user-agent': agent }), 401, 'credentials_missing', agent)
    const bare = await call(url, 'GET', '/auth/verify', { headers: { 'user-agent': agent } })
    isRefused(t, bare, 401, 'credentials_missing', agent)
  }
})

t.test('oauth2-proxy GHSA-vjrc-mh2v-45x6: identity headers with underscores', async (t) => {
  const lies = { X_Forwarded_User: 'root', 'X-Forwarded_User': 'root', 'x-forwarded-user': 'root' }
  const { headers } = await ask('/x', lies, token)
  t.equal(headers['x-forwarded-user'], 'ada')
  const names = Object.keys((await ask('/public', lies)).headers)
  t.notOk(
    names.some((name) => /user/i.test(name)),
    'nothing is echoed',
  )
})

t.test('Traefik CVE-2024-45410: Connection removed the proxy’s headers', async (t) => {
  const lines = ['X-Forwarded-Method: GET', 'X-Forwarded-Uri: /admin', 'X-Forwarded-Host: app.example']
  const away =
    'Connection: close, X-Forwarded-Method, X-Forwarded-Uri, X-Forwarded-Host, Authorization, Cookie'
  const bearer = `Authorization: Bearer ${token}`
  const { text } = await send(port, head('GET /auth/verify HTTP/1.1', 'Host: x', away, bearer, ...lines))
  t.match(text, /^HTTP\/1\.1 403 [^]*"insufficient_scope"/, 'the route counts, not the token alone')
})

t.test('Traefik GHSA-5m6w-wvh7-57vm: forwarded headers with underscores', async (t) => {
  const cookies = await logInByCookies(url)
  const lies = { X_Forwarded_Uri: '/public', X_Forwarded_Method: 'GET', X_Forwarded_Host: 'evil.example' }
  isRefused(t, await ask('/x', lies), 401, 'credentials_missing')
  const told = { 'x-forwarded-method': 'POST', 'x-forwarded-uri': '/x', 'x-forwarded-host': 'app.example' }
  const headers = { ...told, ...lies, origin: 'https://evil.example' }
  isRefused(t, await call(url, 'GET', '/auth/verify', { cookies, headers }), 403, 'cross_site_request')
})

t.test('Traefik GHSA-6384-m2mw-rf54, GHSA-3q9r-p662-5j8m: a prefix or a port from the client', async (t) => {
  for (const headers of [
    { 'x-forwarded-prefix': '/public' },
    { 'x-forwarded-port': '9400' },
    { 'x-forwarded-proto': 'https', 'x-forwarded-port': '443', 'x-forwarded-server': 'localhost' },
  ]) {
    isRefused(t, await ask('/admin', headers), 401, 'credentials_missing')
    isRefused(t, await ask('/admin', headers, token), 403, 'insufficient_scope')
  }
})

t.test(
  'Traefik GHSA-6jwx-7vp4-9847, CVE-2026-65600, CVE-2026-48020: a path that is normalised later',
  async (t) => {
    for (const uri of [
      '/./admin',
      '/public/../admin',
      '/public/%2e%2e/admin',
      '/public/.%2e/admin',
      '/public%2f..%2fadmin',
    ]) {
      isRefused(t, await ask(uri), 400, 'target_refused', uri)
    }
    isRefused(t, await ask('/%61dmin', {}, token), 403, 'insufficient_scope', 'the same path, the same route')
  },
)

t.test('Traefik GHSA-f52w-8j3h-j724: a target with a scheme', async (t) => {
  for (const uri of ['http:http://x/public', 'http://x/public', '//x/public', 'http:/public', '*', '']) {
    isRefused(t, await ask(uri), 400, 'target_refused', uri)
  }
})

t.test('Traefik GHSA-v67p-phpq-fc8x: the same names in trailers', async (t) => {
  const trailers = ['X-Forwarded-Method: GET', 'X-Forwarded-Uri: /public', `Authorization: Bearer ${token}`]
  const told = ['X-Original-Method: GET', 'X-Original-URI: /admin']
  for (const [by, more] of [
    ['POST /auth/verify/admin', []],
    ['GET /auth/verify', told],
    ['GET /auth/verify', []],
  ] as const) {
    const framing = ['Host: x', 'Connection: close', 'Transfer-Encoding: chunked', 'Trailer: X-Forwarded-Uri']
    const bytes = head(`${by} HTTP/1.1`, ...framing, ...more) + '1\r\na\r\n0\r\n' + head(...trailers)
    const { text } = await send(port, bytes)
    t.match(text, /^HTTP\/1\.1 401 [^]*"credentials_missing"/, by)
  }
})

t.test('Traefik GHSA-fw45-f5q2-2p4x: a response that the proxy reads whole is small', async (t) => {
  const long = `/${'x'.repeat(7000)}`
  for (const answer of [
    await ask(long),
    await ask(long, {}, 'y'.repeat(7000)),
    await ask(`${long}//`),
    await ask(long, {}, token),
  ]) {
    t.ok(answer.text.length < 1000, `${answer.status}: ${answer.text.length}`)
  }
})

t.test('an invalid method, or one that is never admitted', async (t) => {
  for (const [method, status] of [
    ['get', 400],
    ['GET,DELETE', 400],
    ['BREW', 400],
    ['CONNECT', 404],
    ['TRACE', 404],
  ] as const) {
    const headers = {
      'x-forwarded-method': method,
      'x-http-method-override': 'GET',
      'x-method-override': 'GET',
    }
    t.equal((await ask('/public', headers)).status, status, method)
  }
})
