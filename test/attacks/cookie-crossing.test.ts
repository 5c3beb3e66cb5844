/** The gateway's cookies neither reach an upstream nor come from one. */
import t from 'tap'
import { call, isRefused, logInByCookies, startGateway, startUpstream } from '../support/gateway-process.js'

const SETTINGS = [
  '__Host-access=evil; Path=/; Secure',
  '__Secure-refresh=evil; Path=/auth; Secure',
  '__HOST-ACCESS=evil; Path=/',
  ' __Host-access=evil',
  '=__Host-access=evil',
  'legacy=kept; Path=/',
]
const upstream = await startUpstream(t, { 'set-cookie': SETTINGS })
const { url } = await startGateway(t, {
  routes: [
    { path: '/open', upstream: upstream.url, auth: 'none' },
    { path: '/optional', upstream: upstream.url, auth: 'optional' },
    { path: '/', upstream: upstream.url },
  ],
})

t.test('they reach the upstream on no route, whatever is beside them', async (t) => {
  const cookies = await logInByCookies(url)
  const pairs = Object.entries(cookies).map((pair) => pair.join('='))
  for (const path of ['/open', '/optional', '/guarded']) {
    for (const cookie of [
      `legacy=1; ${pairs[0]}; ${pairs[1]}; other=2`,
      `${pairs[1]};${pairs[0]};legacy=1`,
      `legacy=1;   ${pairs.join('  ;')}`,
    ]) {
      const { status } = await call(url, 'GET', path, { headers: { cookie } })
      t.equal(status, 200)
      const raw = upstream.seen.at(-1)!.rawHeaders.join('\n')
      t.match(upstream.seen.at(-1)!.headers['cookie'], 'legacy=1')
      t.notMatch(raw, /access=|refresh=/i, `${path} ${cookie.slice(0, 20)}`)
      for (const value of Object.values(cookies)) t.notOk(raw.includes(value))
    }
  }
})

t.test('an upstream can’t set them', async (t) => {
  const { setCookie } = await call(url, 'GET', '/open')
  t.strictSame(setCookie, ['legacy=kept; Path=/'])
})

t.test('two session cookies, equal or not, are refused', async (t) => {
  const { '__Host-access': access } = await logInByCookies(url)
  const before = upstream.seen.length
  for (const other of [access, 'x', '']) {
    for (const path of ['/guarded', '/optional', '/auth/me']) {
      const headers = { cookie: `__Host-access=${access}; __Host-access=${other}` }
      isRefused(t, await call(url, 'GET', path, { headers }), 400, 'credentials_ambiguous', path)
    }
  }
  t.equal(upstream.seen.length, before)
})

t.test('a refresh token works in no URL, no header, and not as an access token', async (t) => {
  const { '__Secure-refresh': refresh } = await logInByCookies(url)
  const before = upstream.seen.length
  isRefused(t, await call(url, 'GET', '/guarded', { token: refresh }), 401, 'token_malformed')
  const cookies = { '__Host-access': refresh! }
  isRefused(t, await call(url, 'GET', '/guarded', { cookies }), 401, 'token_malformed')
  const query = await call(url, 'POST', `/auth/refresh?refresh_token=${refresh}`)
  isRefused(t, query, 400, 'refresh_token_missing', 'the query is not looked at')
  t.equal(upstream.seen.length, before)
})
