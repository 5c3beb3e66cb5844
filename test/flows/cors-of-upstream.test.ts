/** An API that handles CORS itself: its preflights carry no credentials, and must reach it all the same. */
import t from 'tap'
import { call, isRefused, logIn, startGateway, startUpstream } from '../support/gateway-process.js'

const PAGE = 'https://pages.example'

t.test('a route for OPTIONS beside one for all methods opens the preflights, and nothing else', async (t) => {
  const upstream = await startUpstream(t, {
    'access-control-allow-origin': PAGE,
    'access-control-allow-headers': 'authorization',
  })
  const { url } = await startGateway(t, {
    routes: [
      { path: '/api', upstream: upstream.url },
      { path: '/api', methods: ['OPTIONS'], upstream: upstream.url, auth: 'none' },
    ],
  })
  const headers = { origin: PAGE, 'access-control-request-method': 'PUT' }
  const preflight = await call(url, 'OPTIONS', '/api/x', { headers })
  t.match(preflight, { status: 200, headers: { 'access-control-allow-origin': PAGE } })
  t.equal(upstream.seen.at(-1)!.method, 'OPTIONS')

  for (const method of ['GET', 'HEAD', 'PUT', 'DELETE', 'PROPFIND'])
    t.equal((await call(url, method, '/api/x', { headers: { origin: PAGE } })).status, 401, method)
  isRefused(t, await call(url, 'OPTIONS', '/apix', { headers }), 404, 'not_found')
  const { access_token: token } = await logIn(url)
  const answer = await call(url, 'PUT', '/api/x', { token, headers: { origin: PAGE } })
  t.match(answer, { status: 200, headers: { 'access-control-allow-origin': PAGE } })
})
