/** A browser opens one of our responses as a page, a script or a frame: it must not guess its type or run anything. */
import t from 'tap'
import { call, logIn, startGateway, startUpstream } from '../support/gateway-process.js'
import type { CallOptions } from '../support/gateway-process.js'
import { send } from '../support/wire.js'

const TOKEN = 'an-admin-token-of-thirty-two-characters'
const EXPECTED = {
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
}

t.test('each of them has nosniff, a policy that allows nothing, and can not be embedded', async (t) => {
  const upstream = await startUpstream(t)
  const { url, adminUrl } = await startGateway(t, {
    admin: { host: '127.0.0.1', port: 0, token: TOKEN },
    routes: [
      { path: '/open', upstream: upstream.url, auth: 'none' },
      { path: '/dead', upstream: 'http://127.0.0.1:9', auth: 'none' },
      { path: '/', upstream: upstream.url },
    ],
  })
  const { access_token: token } = await logIn(url)
  const calls: [base: string, method: string, path: string, status: number, options?: CallOptions][] = [
    [url, 'POST', '/auth/login', 400, { json: { username: '<script>' } }],
    [url, 'POST', '/auth/login', 401, { json: { username: 'ada', password: 'x' } }],
    [url, 'GET', '/auth/me', 200, { token }],
    [url, 'GET', '/auth/me', 401],
    [url, 'GET', '/auth/verify', 200, { token }],
    [url, 'GET', '/auth/sessions', 200, { token }],
    [url, 'PUT', '/auth/login', 405],
    [url, 'GET', '/.well-known/jwks.json', 200],
    [url, 'GET', '/healthz', 200],
    [url, 'GET', '/readyz', 200],
    [url, 'GET', '/guarded', 401],
    [url, 'GET', '/a//b', 400],
    [url, 'GET', '/dead', 502],
    [adminUrl!, 'GET', '/metrics', 200],
    [adminUrl!, 'GET', '/readyz', 200],
    [adminUrl!, 'GET', '/api/revocations', 401],
    [adminUrl!, 'GET', '/api/revocations', 200, { token: TOKEN }],
    [adminUrl!, 'GET', '/nothing', 404],
  ]
  for (const [base, method, path, status, options] of calls)
    t.match(
      await call(base, method, path, options),
      { status, headers: EXPECTED },
      `${method} ${path} ${status}`,
    )

  const port = Number(new URL(url).port)
  for (const bytes of ['nonsense\r\n\r\n', 'GET / HTTP/1.1\r\nHost: x\r\nExpect: more\r\n\r\n']) {
    const { text } = await send(port, bytes)
    for (const pair of Object.entries(EXPECTED))
      t.match(text.toLowerCase(), pair.join(': ').toLowerCase(), bytes)
  }

  const { headers } = await call(url, 'GET', '/open')
  for (const name of Object.keys(EXPECTED))
    t.notOk(headers[name], `${name} of a forwarded response is the upstream’s`)
})
