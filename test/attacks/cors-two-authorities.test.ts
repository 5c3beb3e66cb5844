/**
 * An upstream that reflects `Origin`, behind a gateway that sends `Access-Control-Allow-Credentials`: together they let
 * any page read a user's data by cookie.
 */
import t from 'tap'
import { call, logInByCookies, startGateway, startUpstream } from '../support/gateway-process.js'

const PAGE = 'https://pages.example'
const EVIL = 'https://evil.example'

t.test('an unlisted origin is never allowed, whatever the upstream sends', async (t) => {
  const reflecting = {
    'access-control-allow-origin': EVIL,
    'access-control-allow-credentials': 'true',
    'access-control-allow-methods': 'PUT',
    'access-control-allow-headers': 'x-a',
    'access-control-max-age': '86400',
    'access-control-expose-headers': 'X-Total',
  }
  const upstream = await startUpstream(t, reflecting)
  const { url } = await startGateway(t, {
    cookies: { enabled: true },
    cors: { origins: [PAGE] },
    routes: [
      { path: '/open', upstream: upstream.url, auth: 'none' },
      { path: '/', upstream: upstream.url },
    ],
  })
  const cookies = await logInByCookies(url)
  const allowed = (headers: Record<string, unknown>) =>
    Object.keys(headers).filter((name) => /^access-control-(?!expose-headers)/.test(name))

  for (const origin of [EVIL, 'null', `${PAGE}.evil.example`]) {
    for (const path of ['/data', '/open', '/auth/me']) {
      const { headers } = await call(url, 'GET', path, { cookies, headers: { origin } })
      t.strictSame(allowed(headers), [], `${path} from ${origin}`)
      const preflight = { origin, 'access-control-request-method': 'PUT' }
      const answer = await call(url, 'OPTIONS', path, { headers: preflight })
      t.notOk(answer.headers['access-control-allow-origin'], `preflight of ${path} from ${origin}`)
      t.notOk(answer.headers['access-control-allow-credentials'])
    }
  }
  t.ok(
    upstream.seen.some(({ target }) => target === '/data'),
    'the upstream answered some of them',
  )

  const { headers } = await call(url, 'GET', '/data', { cookies, headers: { origin: PAGE } })
  t.equal(headers['access-control-allow-origin'], PAGE)
  t.equal(headers['access-control-allow-credentials'], 'true')
  t.match(String(headers['access-control-expose-headers']), /X-Total/, 'merged')
  t.match(String(headers['access-control-expose-headers']), /WWW-Authenticate/)
  t.notOk(headers['access-control-allow-methods'])
})

t.test('without cors.origins, the CORS headers of an upstream pass unchanged', async (t) => {
  const upstream = await startUpstream(t, { 'access-control-allow-origin': PAGE })
  const { url } = await startGateway(t, { routes: [{ path: '/', upstream: upstream.url, auth: 'none' }] })
  const { headers } = await call(url, 'GET', '/', { headers: { origin: PAGE } })
  t.equal(headers['access-control-allow-origin'], PAGE)
})
