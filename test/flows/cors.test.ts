import t from 'tap'
import {
  USERS,
  call,
  cookiesOf,
  isRefused,
  logIn,
  startGateway,
  startUpstream,
} from '../support/gateway-process.js'
import { head, send } from '../support/wire.js'

const PAGE = 'https://pages.example'
const upstream = await startUpstream(t, { 'access-control-allow-origin': '*', vary: 'Accept' })
const { url } = await startGateway(t, {
  cors: { origins: [PAGE] },
  routes: [
    { path: '/open', upstream: upstream.url, auth: 'none' },
    { path: '/', upstream: upstream.url },
  ],
})

t.test('the gateway answers a preflight, for the configured origin only', async (t) => {
  const before = upstream.seen.length
  for (const path of ['/open', '/guarded', '/auth/login', '/auth/logout', '/nowhere/at/all']) {
    const headers = {
      origin: PAGE,
      'access-control-request-method': 'PUT',
      'access-control-request-headers': 'x-a',
    }
    const answer = await call(url, 'OPTIONS', path, { headers })
    t.equal(answer.status, 204, path)
    t.equal(answer.headers['access-control-allow-origin'], PAGE)
    t.equal(answer.headers['access-control-allow-credentials'], 'true')
    t.match(answer.headers['access-control-allow-methods'], 'PUT')
    const foreign = await call(url, 'OPTIONS', path, {
      headers: { ...headers, origin: 'https://evil.example' },
    })
    t.notOk(foreign.headers['access-control-allow-origin'], `${path}: a foreign origin`)
  }
  t.equal(upstream.seen.length, before, 'the upstream saw none of them')
})

t.test('an OPTIONS request that isn’t a preflight is forwarded', async (t) => {
  t.equal((await call(url, 'OPTIONS', '/open')).text, 'from the upstream')
  t.equal((await call(url, 'OPTIONS', '/open', { headers: { origin: PAGE } })).text, 'from the upstream')
  t.equal(upstream.seen.at(-1)!.method, 'OPTIONS')
  isRefused(t, await call(url, 'OPTIONS', '/guarded'), 401, 'credentials_missing')
})

t.test('an OPTIONS request with a body is forwarded or refused before the body is read', async (t) => {
  const port = Number(new URL(url).port)
  const ask = (path: string, ...lines: string[]) =>
    send(
      port,
      `${head(`OPTIONS ${path} HTTP/1.1`, 'Host: x', 'Content-Length: 5', ...lines, 'Connection: close')}hello`,
    )
  for (const line of ['Accept: a', 'Content-Type: application/json', 'Content-Type: invalid']) {
    t.match(await ask('/open', line), { statuses: [200], text: /from the upstream/ }, line)
    t.equal(upstream.seen.at(-1)!.headers['content-length'], '5')
  }
  t.strictSame((await ask('/open', 'Expect: 100-continue')).statuses, [100, 200])
  t.strictSame((await ask('/guarded', 'Expect: 100-continue')).statuses, [401], 'no 100 Continue')
})

t.test(
  'responses are readable for the configured origin, ours and the upstream’s, good and bad',
  async (t) => {
    const { access_token: token } = await logIn(url)
    for (const [path, status] of [
      ['/open', 200],
      ['/guarded', 401],
      ['/auth/me', 401],
    ] as const) {
      const { status: got, headers } = await call(url, 'GET', path, { headers: { origin: PAGE } })
      t.equal(got, status, path)
      t.equal(headers['access-control-allow-origin'], PAGE, 'the gateway’s word goes before the upstream’s')
      t.equal(headers['access-control-allow-credentials'], 'true')
      t.match(String(headers['vary']), /origin/i)
    }
    const foreign = await call(url, 'GET', '/auth/me', { token, headers: { origin: 'https://evil.example' } })
    t.equal(foreign.status, 200, 'a bearer token is no cookie')
    t.notOk(foreign.headers['access-control-allow-origin'])
  },
)

t.test('pages of the configured origin count as our own for cookies', async (t) => {
  const json = { username: 'ada', password: USERS.ada, cookies: true }
  const { status, setCookie } = await call(url, 'POST', '/auth/login', { json, headers: { origin: PAGE } })
  t.equal(status, 200)
  const cookies = cookiesOf(setCookie)
  t.equal((await call(url, 'POST', '/guarded', { cookies, headers: { origin: PAGE } })).status, 200)
  for (const origin of [
    'http://pages.example',
    'https://pages.example:8443',
    'https://x.pages.example',
    'null',
  ]) {
    const answer = await call(url, 'POST', '/guarded', { cookies, headers: { origin } })
    isRefused(t, answer, 403, 'cross_site_request', origin)
  }
})
