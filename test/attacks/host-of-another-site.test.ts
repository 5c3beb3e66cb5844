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
  ])
    isRefused(t, await getAs(url, '/', host), 404, 'not_found', host)
  isRefused(t, await getAs(url, '/', 'evil', { 'x-forwarded-host': 'www.example.com' }), 404, 'not_found')
  t.equal(upstream.seen.length, before)
})

t.test(
  'a host with an empty label, or an empty one, is refused: a server may read it as another host',
  async (t) => {
    const { url } = await startGateway(t, {
      routes: [{ path: '/', upstream: upstream.url, auth: 'none' }, ...routes],
      listen: { ...trusting, trustProxy: ['127.0.0.1'] },
    })
    const before = upstream.seen.length
    for (const host of [
      'api.example.com..',
      'api.example.com...:80',
      'api..example.com',
      '.api.example.com',
      '.',
      '',
    ]) {
      isRefused(t, await getAs(url, '/', host), 400, 'invalid_request', host)
      const headers = { 'x-original-method': 'GET', 'x-original-uri': '/' }
      isRefused(t, await getAs(url, '/auth/verify', host, headers), 400, 'invalid_request', `verify ${host}`)
    }
    t.equal(upstream.seen.length, before)
  },
)

t.test('the host that selects the route is the one that the upstream receives', async (t) => {
  const hosts = { open: ['public.example'], guarded: ['admin.example'] }
  const { url } = await startGateway(t, {
    listen: { ...trusting, trustProxy: ['127.0.0.1'] },
    routes: [
      { path: '/', hosts: hosts.open, upstream: upstream.url, auth: 'none' },
      { path: '/', hosts: hosts.guarded, upstream: upstream.url },
      { path: '/own', hosts: hosts.open, upstream: upstream.url, auth: 'none', host: 'upstream' },
    ],
  })
  const before = upstream.seen.length
  const lie = { 'x-forwarded-host': 'public.example' }
  for (const host of ['admin.example', 'ADMIN.example.:80', 'unlisted.example']) {
    isRefused(t, await getAs(url, '/', host, lie), 400, 'invalid_request', host)
    const chain = { 'x-forwarded-for': '1.1.1.1', 'x-forwarded-host': 'public.example' }
    isRefused(t, await getAs(url, '/', host, chain), 400, 'invalid_request', `${host} behind two proxies`)
  }
  t.equal(upstream.seen.length, before)
  t.equal((await getAs(url, '/', 'Public.example:443', lie)).status, 200, 'another spelling')
  t.equal((await getAs(url, '/own', 'inner.svc:3000', lie)).status, 200, 'the upstream gets its own Host')
})

t.test('with trustHeaders: forwarded, X-Forwarded-Host selects no route in forward-auth', async (t) => {
  const { url } = await startGateway(t, {
    listen: { ...trusting, trustProxy: ['127.0.0.1'], trustHeaders: 'forwarded' },
    routes: [
      { path: '/', hosts: ['public.example'], auth: 'none' },
      { path: '/', hosts: ['admin.example'] },
    ],
  })
  const original = { 'x-original-method': 'GET', 'x-original-uri': '/' }
  const verify = (host: string, headers: Record<string, string>) =>
    getAs(url, '/auth/verify', host, { ...original, ...headers })
  const lie = { 'x-forwarded-host': 'public.example' }
  isRefused(t, await verify('admin.example', lie), 401, 'credentials_missing')
  const standard = (host: string) => ({ ...lie, forwarded: `for=203.0.113.9;host=${host}` })
  isRefused(t, await verify('inner', standard('admin.example')), 401, 'credentials_missing')
  t.equal((await verify('inner', standard('public.example'))).status, 200)
  t.equal((await verify('public.example', { 'x-forwarded-host': 'admin.example' })).status, 200)
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
