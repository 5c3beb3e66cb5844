/** The client's `Host` selects the virtual host of an upstream: a site that this gateway was never meant to open. */
import t from 'tap'
import { call, isRefused, logIn, startGateway, startUpstream } from '../support/gateway-process.js'

const upstream = await startUpstream(t)
const other = await startUpstream(t)
const trusting = { host: '127.0.0.1', port: 0, trustProxy: ['127.0.0.2'] }
const routes = [
  { path: '/', hosts: ['www.example.com', 'Example.COM', '[::1]'], upstream: upstream.url, auth: 'none' },
  { path: '/', hosts: ['api.example.com'], upstream: other.url, scope: ['api'] },
  { path: '/admin', hosts: ['www.example.com'], methods: ['GET'], upstream: upstream.url },
]

t.test('a host that no route lists is not forwarded', async (t) => {
  const { url } = await startGateway(t, { routes, listen: trusting })
  const before = upstream.seen.length
  for (const host of [
    'internal.example.com',
    'www.example.com.evil.example',
    'xwww.example.com',
    '127.0.0.1',
    'www.example.com..',
  ])
    isRefused(t, await getAs(url, '/', host), 404, 'not_found', host)
  isRefused(t, await getAs(url, '/', 'evil', { 'x-forwarded-host': 'www.example.com' }), 404, 'not_found')
  t.equal(upstream.seen.length, before)
})

t.test('each spelling of a listed host is the same host', async (t) => {
  const { url } = await startGateway(t, { routes })
  for (const host of [
    'www.example.com',
    'WWW.Example.com',
    'www.example.com:8080',
    'www.example.com.',
    'www.example.com.:80',
    'example.com',
    '[::1]:3000',
  ]) {
    t.equal((await getAs(url, '/', host)).status, 200, host)
    t.equal(upstream.seen.at(-1)!.headers['host'], host, 'forwarded as it came')
    if (!host.startsWith('[') && host !== 'example.com')
      isRefused(t, await getAs(url, '/admin/x', host), 401, 'credentials_missing', `${host} stricter path`)
  }
  isRefused(t, await getAs(url, '/', 'API.example.com.:443'), 401, 'credentials_missing')
})

t.test('the host of the original request counts in forward-auth', async (t) => {
  const { url } = await startGateway(t, { routes, listen: { ...trusting, trustProxy: ['127.0.0.1'] } })
  const { access_token: token } = await logIn(url)
  const verify = (host: string, uri = '/') =>
    call(url, 'GET', '/auth/verify', {
      token,
      headers: { 'x-forwarded-method': 'GET', 'x-forwarded-uri': uri, 'x-forwarded-host': host },
    })
  t.equal((await verify('www.example.com')).status, 200)
  isRefused(t, await verify('api.example.com'), 403, 'insufficient_scope')
  isRefused(t, await verify('internal.example.com'), 404, 'not_found')
})

t.test('a path counts before a host: a route for all hosts guards its path on every host', async (t) => {
  const { url } = await startGateway(t, {
    routes: [
      { path: '/', hosts: ['www.example.com'], upstream: upstream.url, auth: 'none' },
      { path: '/', upstream: upstream.url },
      { path: '/admin', upstream: upstream.url, scope: ['admin'] },
    ],
  })
  t.equal((await getAs(url, '/x', 'www.example.com')).status, 200)
  for (const host of ['www.example.com', 'other.example'])
    isRefused(t, await getAs(url, '/admin', host), 401, 'credentials_missing', host)
  isRefused(t, await getAs(url, '/ADMIN', 'www.example.com'), 400, 'target_refused')
  isRefused(t, await getAs(url, '/x', 'other.example'), 401, 'credentials_missing')
})

function getAs(base: string, path: string, host: string, headers: Record<string, string> = {}) {
  return call(base, 'GET', path, { headers: { ...headers, host } })
}
