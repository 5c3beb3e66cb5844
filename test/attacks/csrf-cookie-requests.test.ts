/** Another site makes a browser send a request, cookies and all. */
import t from 'tap'
import {
  USERS,
  call,
  isRefused,
  logInByCookies,
  startGateway,
  startUpstream,
} from '../support/gateway-process.js'

const upstream = await startUpstream(t)
const { url } = await startGateway(t, {
  routes: [
    { path: '/optional', upstream: upstream.url, auth: 'optional' },
    { path: '/open', upstream: upstream.url, auth: 'none' },
    { path: '/', upstream: upstream.url },
  ],
})
const { host, port } = new URL(url)

/** Headers that a request of another site's may come with; those without `Origin` from clients that send none. */
const FOREIGN: Record<string, string>[] = [
  { origin: 'https://evil.example' },
  { origin: 'null' },
  { origin: 'null', 'sec-fetch-site': 'cross-site' },
  { origin: 'null', 'sec-fetch-site': 'same-site' },
  { origin: `http://127.0.0.1:${Number(port) + 1}` },
  { origin: `http://${host}.evil.example` },
  { origin: `http://evil.example@${host}` },
  { origin: `http://${host}/` },
  { origin: host },
  { origin: '' },
  { origin: 'https://evil.example', 'sec-fetch-site': 'same-origin' },
  { 'sec-fetch-site': 'cross-site' },
  { 'sec-fetch-site': 'same-site' },
  { 'sec-fetch-site': 'none' },
  {},
]
const OWN: Record<string, string>[] = [
  { origin: url },
  { origin: url.toUpperCase().replace('HTTP', 'http') },
  { 'sec-fetch-site': 'same-origin' },
  // A page with `Referrer-Policy: no-referrer`, which is the default of helmet.
  { origin: 'null', 'sec-fetch-site': 'same-origin' },
]
const show = (headers: object) => JSON.stringify(headers)

t.test('through the proxy: refused before the upstream', async (t) => {
  const cookies = await logInByCookies(url)
  const before = upstream.seen.length
  for (const headers of FOREIGN) {
    for (const [method, path] of [
      ['POST', '/x'],
      ['DELETE', '/x'],
      ['PUT', '/optional'],
      ['PATCH', '/x'],
    ] as const) {
      const answer = await call(url, method, path, { cookies, headers })
      isRefused(t, answer, 403, 'cross_site_request', `${method} ${path} ${show(headers)}`)
    }
  }
  t.equal(upstream.seen.length, before)
  for (const headers of OWN)
    t.equal((await call(url, 'POST', '/x', { cookies, headers })).status, 200, show(headers))
})

t.test('safe requests pass from any site, so that links work', async (t) => {
  const cookies = await logInByCookies(url)
  for (const headers of FOREIGN) t.equal((await call(url, 'GET', '/x', { cookies, headers })).status, 200)
})

t.test('a bearer token or no credentials needs no CSRF check', async (t) => {
  const cookies = await logInByCookies(url)
  const headers = { origin: 'https://evil.example' }
  t.equal((await call(url, 'POST', '/x', { token: cookies['__Host-access'], headers })).status, 200)
  t.equal(
    (await call(url, 'POST', '/open', { cookies, headers })).status,
    200,
    'auth: none looks at no cookie',
  )
  t.notOk(upstream.seen.at(-1)!.headers['cookie'], 'nor passes ours on')
})

t.test('a refresh and a logout by cookie are refused, and the session is unchanged', async (t) => {
  const cookies = await logInByCookies(url)
  const only = { '__Secure-refresh': cookies['__Secure-refresh']! }
  for (const headers of FOREIGN) {
    for (const path of ['/auth/refresh', '/auth/logout']) {
      const answer = await call(url, 'POST', path, { cookies, headers })
      isRefused(t, answer, 403, 'cross_site_request', `${path} ${show(headers)}`)
      t.strictSame(answer.setCookie, [], 'cookies are not touched')
      isRefused(t, await call(url, 'POST', path, { cookies: only, headers }), 403, 'cross_site_request')
    }
    const all = { json: { all: true }, cookies, headers }
    isRefused(t, await call(url, 'POST', '/auth/logout', all), 403, 'cross_site_request')
  }
  const sid = JSON.parse(Buffer.from(cookies['__Host-access']!.split('.')[1]!, 'base64url').toString()).sid
  const end = await call(url, 'DELETE', `/auth/sessions/${sid}`, { cookies, headers: FOREIGN[0]! })
  isRefused(t, end, 403, 'cross_site_request', 'the end of a session')
  t.equal((await call(url, 'GET', '/auth/me', { cookies })).status, 200)
  t.equal(
    (await call(url, 'POST', '/auth/refresh', { cookies, headers: OWN[0]! })).status,
    200,
    'not used up',
  )
})

t.test('a login with cookies from another site is refused (login CSRF)', async (t) => {
  const fields = { username: 'ada', password: USERS.ada }
  for (const headers of FOREIGN) {
    for (const body of [{ json: { ...fields, cookies: true } }, { form: { ...fields, cookies: 'true' } }]) {
      const answer = await call(url, 'POST', '/auth/login', { ...body, headers })
      isRefused(t, answer, 403, 'cross_site_request', show(headers))
      t.strictSame(answer.setCookie, [])
    }
  }
  for (const headers of OWN) {
    const form = { ...fields, cookies: 'true' }
    t.equal((await call(url, 'POST', '/auth/login', { form, headers })).status, 200, show(headers))
  }
  const plain = await call(url, 'POST', '/auth/login', { json: fields, headers: FOREIGN[0]! })
  t.equal(plain.status, 200, 'tokens in the body are of no use to a form on another site')
})
