import t from 'tap'
import {
  call,
  isRefused,
  logIn,
  logInByCookies,
  startBlog,
  startGateway,
  startUpstream,
} from '../support/gateway-process.js'

t.test('in front of the legacy blog: open and guarded routes', async (t) => {
  const blog = await startBlog(t)
  const { url } = await startGateway(t, {
    routes: [
      { path: '/post/all', methods: ['GET'], upstream: blog },
      { path: '/post', methods: ['GET'], upstream: blog, auth: 'none' },
      { path: '/post', methods: ['POST', 'PUT', 'DELETE'], upstream: blog },
      { path: '/tag', methods: ['GET'], upstream: blog, auth: 'none' },
    ],
  })
  const { access_token: token } = await logIn(url)
  const post = { title: 'T', body: 'B' }

  t.equal((await call(url, 'GET', '/post')).body.posts.length, 2)
  t.equal((await call(url, 'GET', '/post/1')).status, 200)
  t.equal((await call(url, 'GET', '/tag/castle')).status, 200)
  isRefused(t, await call(url, 'GET', '/post/all'), 401, 'credentials_missing', 'GET /post/all')
  isRefused(t, await call(url, 'POST', '/post', { json: post }), 401, 'credentials_missing', 'POST /post')
  isRefused(t, await call(url, 'DELETE', '/post/1'), 401, 'credentials_missing', 'DELETE /post/1')
  t.equal((await call(url, 'GET', '/post')).body.posts.length, 2, 'nothing was written')

  t.match((await call(url, 'GET', '/post/all', { token })).body, { reader: 'ada' })
  const created = await call(url, 'POST', '/post', { token, json: post })
  t.match(created, { status: 201, body: { id: 4, author: 'ada' } })
  t.match(await call(url, 'PUT', '/post', { token, json: { ...post, id: 4, title: 'T2' } }), { status: 200 })
  t.equal((await call(url, 'DELETE', '/post/4', { token })).status, 204)

  for (const path of ['/', '/posts', '/tags/castle', '/postall', '/.well-known/x', '/healthz/x']) {
    isRefused(t, await call(url, 'GET', path, { token }), 404, 'not_found', path)
  }
  isRefused(t, await call(url, 'PATCH', '/post', { token }), 404, 'not_found', 'a method that no route lists')
  t.equal(
    (await call(url, 'GET', '/p%6Fst')).status,
    404,
    'the route is found, and the path forwarded as it came',
  )

  t.equal((await call(url, 'POST', '/auth/logout', { token })).status, 204)
  isRefused(t, await call(url, 'GET', '/post/all', { token }), 401, 'session_ended')
  isRefused(t, await call(url, 'POST', '/post', { token, json: post }), 401, 'session_ended')
  t.equal((await call(url, 'GET', '/post', { token })).status, 200, 'auth: none looks at no credentials')
})

t.test('auth required, optional and none; scope', async (t) => {
  const upstream = await startUpstream(t)
  const { url } = await startGateway(t, {
    routes: [
      { path: '/required', upstream: upstream.url },
      { path: '/optional', upstream: upstream.url, auth: 'optional' },
      { path: '/none', upstream: upstream.url, auth: 'none' },
      { path: '/scoped', upstream: upstream.url, scope: ['admin'] },
    ],
  })
  const { access_token: token, session_id } = await logIn(url)
  const userOf = async (path: string, options = {}) => {
    const { status } = await call(url, 'GET', path, options)
    return status === 200 ? (upstream.seen.at(-1)!.headers['x-forwarded-user'] ?? null) : status
  }
  t.equal(await userOf('/required', { token }), 'ada')
  t.equal(upstream.seen.at(-1)!.headers['x-auth-request-session'], session_id)
  t.equal(await userOf('/required'), 401)
  t.equal(await userOf('/optional', { token }), 'ada')
  t.equal(await userOf('/optional'), null)
  t.equal(await userOf('/optional', { token: 'nonsense' }), 401)
  t.equal(await userOf('/none', { token }), null)
  t.equal(await userOf('/none', { token: 'nonsense' }), null)
  const before = upstream.seen.length
  const scoped = await call(url, 'GET', '/scoped', { token })
  isRefused(t, scoped, 403, 'insufficient_scope')
  t.match(scoped.headers['www-authenticate'], 'scope="admin"')
  isRefused(t, await call(url, 'GET', '/scoped'), 401, 'credentials_missing')
  t.equal(upstream.seen.length, before)
})

t.test('an accepted access token is removed; other credentials are passed on', async (t) => {
  const upstream = await startUpstream(t)
  const { url } = await startGateway(t, {
    routes: [
      { path: '/kept', upstream: upstream.url, forwardToken: true },
      { path: '/open', upstream: upstream.url, auth: 'none' },
      { path: '/maybe', upstream: upstream.url, auth: 'optional' },
      { path: '/', upstream: upstream.url },
    ],
  })
  const { access_token: token } = await logIn(url)
  const passedOn = async (path: string, options = {}) => {
    t.equal((await call(url, 'GET', path, options)).status, 200, path)
    return upstream.seen.at(-1)!.headers['authorization']
  }
  t.equal(await passedOn('/x', { token }), undefined)
  t.equal(await passedOn('/maybe', { token }), undefined)
  t.equal(await passedOn('/kept', { token }), `Bearer ${token}`)
  const basic = { authorization: 'Basic YTpi' }
  t.equal(await passedOn('/open', { headers: basic }), 'Basic YTpi')
  t.equal(await passedOn('/maybe', { headers: basic }), 'Basic YTpi')
  const cookies = await logInByCookies(url)
  t.equal(await passedOn('/x', { cookies, headers: basic }), 'Basic YTpi', 'beside a cookie of ours')
})

t.test('admitted requests are forwarded unchanged; Host is kept or replaced as configured', async (t) => {
  const upstream = await startUpstream(t)
  const { url } = await startGateway(t, {
    routes: [
      { path: '/changed', upstream: upstream.url, auth: 'none', host: 'upstream' },
      { path: '/', upstream: upstream.url, auth: 'none' },
    ],
  })
  for (const target of ["/a%41~!$&'()*+,=:@x", '/x?q=%2F..%5C;&x=//&y=%zz', '/%E2%82%AC/', '/x?a=?']) {
    t.equal((await call(url, 'GET', target)).text, 'from the upstream')
    t.equal(upstream.seen.at(-1)!.target, target)
  }
  await call(url, 'GET', '/x', { headers: { host: 'public.example' } })
  t.equal(upstream.seen.at(-1)!.headers['host'], 'public.example')
  t.match(upstream.seen.at(-1)!.headers, {
    'x-forwarded-for': '127.0.0.1',
    'x-forwarded-proto': 'http',
    'x-forwarded-host': 'public.example',
  })
  await call(url, 'GET', '/changed', { headers: { host: 'public.example' } })
  t.equal(upstream.seen.at(-1)!.headers['host'], new URL(upstream.url).host)
})

t.test('TRACE never passes; HEAD follows GET; OPTIONS is a method like others', async (t) => {
  const upstream = await startUpstream(t)
  const { url } = await startGateway(t, {
    routes: [
      { path: '/get', methods: ['GET'], upstream: upstream.url, auth: 'none' },
      { path: '/any', upstream: upstream.url, auth: 'none' },
      { path: '/guarded', upstream: upstream.url },
    ],
  })
  t.equal((await call(url, 'HEAD', '/get')).status, 200)
  t.equal(upstream.seen.at(-1)!.method, 'HEAD')
  isRefused(t, await call(url, 'OPTIONS', '/get'), 404, 'not_found')
  t.equal((await call(url, 'OPTIONS', '/any')).text, 'from the upstream')
  const preflight = { origin: 'https://x.example', 'access-control-request-method': 'PUT' }
  t.equal(
    (await call(url, 'OPTIONS', '/any', { headers: preflight })).text,
    'from the upstream',
    'no cors is set',
  )
  isRefused(t, await call(url, 'OPTIONS', '/guarded', { headers: preflight }), 401, 'credentials_missing')
  const before = upstream.seen.length
  t.equal((await call(url, 'TRACE', '/any')).status, 404)
  t.equal(upstream.seen.length, before)
})

t.test('a body of any media type, or none, is passed on', async (t) => {
  const upstream = await startUpstream(t)
  const { url } = await startGateway(t, { routes: [{ path: '/', upstream: upstream.url, auth: 'none' }] })
  for (const type of [
    'text/plain',
    'nonsense',
    ';',
    'application/json',
    'multipart/form-data',
    'a/b;c=',
    undefined,
  ]) {
    const headers = type === undefined ? {} : { 'content-type': type }
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'GET', 'OPTIONS', 'PROPFIND', 'REPORT']) {
      const { status } = await call(url, method, '/x', { body: '{', headers })
      t.equal(status, 200, `${method} ${type}`)
      t.equal(upstream.seen.at(-1)!.headers['content-type'], type)
    }
  }
})

t.test('QUERY without a media type is refused (its RFC); with one it passes', async (t) => {
  const upstream = await startUpstream(t)
  const { url } = await startGateway(t, { routes: [{ path: '/', upstream: upstream.url, auth: 'none' }] })
  isRefused(t, await call(url, 'QUERY', '/x', { body: 'x' }), 400, 'invalid_request')
  t.strictSame(upstream.seen, [])
  t.equal((await call(url, 'QUERY', '/x', { body: 'x', headers: { 'content-type': 'text/x' } })).status, 200)
})

t.test('our own paths reach no upstream with any method', async (t) => {
  const upstream = await startUpstream(t)
  const { url } = await startGateway(t, { routes: [{ path: '/', upstream: upstream.url, auth: 'none' }] })
  const own = ['/healthz', '/readyz', '/.well-known/jwks.json', '/auth/login']
  for (const path of [...own, '/health%7A', '/.well-known/oauth-authorization-server']) {
    for (const method of ['OPTIONS', 'PROPFIND', 'PURGE', 'POST', 'DELETE', 'GET'])
      await call(url, method, path)
  }
  t.strictSame(upstream.seen, [])
  t.equal((await call(url, 'OPTIONS', '/healthz/x')).status, 200)
  t.equal(upstream.seen.length, 1, 'others do')
})
