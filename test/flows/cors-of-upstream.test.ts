/** An API that handles CORS itself: its preflights carry no credentials, and must reach it all the same. */
import t from 'tap'
import { call, isRefused, logIn, startGateway, startUpstream } from '../support/gateway-process.js'
import type { Answer } from '../support/gateway-process.js'

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

const ALLOWED = {
  'access-control-allow-origin': PAGE,
  'access-control-allow-headers': 'authorization',
  'access-control-expose-headers': 'X-Total',
}
const preflightFor = (method: string, origin = PAGE) => ({ origin, 'access-control-request-method': method })
const corsOf = ({ headers }: Answer) =>
  Object.keys(headers).filter((name) => name === 'vary' || name.startsWith('access-control-'))

for (const origins of [[], [PAGE], ['https://other.example']]) {
  t.test(`with cors.origins ${JSON.stringify(origins)}, a route with cors: upstream`, async (t) => {
    const upstream = await startUpstream(t, ALLOWED)
    const { url } = await startGateway(t, {
      cors: { origins },
      routes: [
        { path: '/api', upstream: upstream.url, cors: 'upstream' },
        { path: '/', upstream: upstream.url },
      ],
    })

    t.test('forwards preflights without a token', async (t) => {
      for (const method of ['GET', 'PUT', 'DELETE', 'PROPFIND']) {
        const answer = await call(url, 'OPTIONS', '/api/x?a=1', { headers: preflightFor(method) })
        t.match(answer, { status: 200, text: 'from the upstream', headers: ALLOWED }, method)
        t.strictSame(corsOf(answer), Object.keys(ALLOWED), 'nothing is added')
        t.match(upstream.seen.at(-1), {
          method: 'OPTIONS',
          target: '/api/x?a=1',
          headers: preflightFor(method),
        })
        t.notOk(upstream.seen.at(-1)!.headers['x-forwarded-user'])
      }
    })

    t.test('passes the CORS headers of responses unchanged', async (t) => {
      const { access_token: token } = await logIn(url)
      for (const origin of [PAGE, 'https://evil.example']) {
        const answer = await call(url, 'PUT', '/api/x', { token, headers: { origin } })
        t.match(answer, { status: 200, headers: ALLOWED })
        t.strictSame(corsOf(answer), Object.keys(ALLOWED), 'nothing is added')
      }
    })

    t.test('leaves CORS of our own responses to cors.origins', async (t) => {
      const refused = await call(url, 'PUT', '/api/x', { headers: { origin: PAGE } })
      isRefused(t, refused, 401, 'credentials_missing')
      t.equal(refused.headers['access-control-allow-origin'], origins[0] === PAGE ? PAGE : undefined)
    })

    t.test('leaves other routes and the gateway’s own as they are', async (t) => {
      for (const path of ['/other', '/auth/login', '/healthz', '/apix']) {
        const before = upstream.seen.length
        const answer = await call(url, 'OPTIONS', path, { headers: preflightFor('PUT') })
        t.equal(upstream.seen.length, before, path)
        t.equal(answer.headers['access-control-allow-origin'], origins[0] === PAGE ? PAGE : undefined)
      }
    })
  })
}

t.test('a page can read that an upstream with CORS of its own can’t be reached', async (t) => {
  const { url } = await startGateway(t, {
    cors: { origins: [PAGE] },
    routes: [{ path: '/', upstream: 'http://127.0.0.1:9', auth: 'none', cors: 'upstream' }],
  })
  const answer = await call(url, 'GET', '/', { headers: { origin: PAGE } })
  isRefused(t, answer, 502, 'upstream_unavailable')
  t.equal(answer.headers['access-control-allow-origin'], PAGE)
})

t.test('a preflight belongs to the route of the method that it asks for', async (t) => {
  const [reading, writing] = [await startUpstream(t, ALLOWED), await startUpstream(t)]
  const { url } = await startGateway(t, {
    cors: { origins: [PAGE] },
    routes: [
      { path: '/', methods: ['GET'], upstream: reading.url, cors: 'upstream' },
      { path: '/', methods: ['POST'], upstream: writing.url },
    ],
  })
  const ask = (method: string) => call(url, 'OPTIONS', '/', { headers: preflightFor(method) })
  t.match(await ask('GET'), { status: 200, text: 'from the upstream' })
  t.match(await ask('HEAD'), { status: 200, text: 'from the upstream' })
  t.match(await ask('POST'), { status: 204, headers: { 'access-control-allow-methods': /POST/ } })
  t.match(await ask('DELETE'), { status: 204 }, 'no route: as without the setting')
  t.equal(reading.seen.length, 2)
  t.equal(writing.seen.length, 0)
})

t.test('preflights count by address in the rate limit of their route', async (t) => {
  const upstream = await startUpstream(t, ALLOWED)
  const { url } = await startGateway(t, {
    routes: [{ path: '/', upstream: upstream.url, cors: 'upstream', rateLimit: { max: 2 } }],
  })
  const ask = () => call(url, 'OPTIONS', '/', { headers: preflightFor('PUT') })
  t.strictSame([(await ask()).status, (await ask()).status, (await ask()).status], [200, 200, 429])
})

t.test('forward-auth lets preflights pass to an application with CORS of its own', async (t) => {
  const { url } = await startGateway(t, {
    listen: { host: '127.0.0.1', port: 0, trustProxy: ['127.0.0.1'] },
    routes: [{ path: '/api', cors: 'upstream' }, { path: '/' }],
  })
  const ask = (path: string, method: string, headers: Record<string, string>) =>
    call(url, 'GET', '/auth/verify', {
      headers: { ...headers, 'x-forwarded-method': method, 'x-forwarded-uri': path, 'x-forwarded-host': 'a' },
    })
  const preflight = preflightFor('PUT')
  t.equal((await ask('/api/x', 'OPTIONS', preflight)).status, 200)
  t.equal((await ask('/api/x', 'OPTIONS', { origin: PAGE })).status, 401)
  t.equal((await ask('/api/x', 'OPTIONS', { ...preflight, cookie: 'a=b' })).status, 401)
  t.equal((await ask('/api/x', 'PUT', preflight)).status, 401)
  t.equal((await ask('/x', 'OPTIONS', preflight)).status, 401)
})
