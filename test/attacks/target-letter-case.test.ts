/**
 * Express, ASP.NET and file systems ignore letter case, and some servers ignore dots at the end of a segment. A stricter
 * route must not be reached by such a spelling through a laxer one.
 */
import t from 'tap'
import { call, isRefused, logIn, startGateway, startUpstream } from '../support/gateway-process.js'

t.test('another spelling of a guarded path does not pass an open route', async (t) => {
  const upstream = await startUpstream(t)
  const { url } = await startGateway(t, {
    listen: { host: '127.0.0.1', port: 0, trustProxy: ['127.0.0.1'] },
    routes: [
      { path: '/', upstream: upstream.url, auth: 'none' },
      { path: '/post', upstream: upstream.url },
      { path: '/post/admin', upstream: upstream.url, scope: ['admin'] },
      { path: '/Files', upstream: upstream.url },
      { path: '/kiosk', upstream: upstream.url },
    ],
  })
  const { access_token: token } = await logIn(url)
  for (const path of [
    '/POST/all',
    '/Post',
    '/post./all',
    '/%50ost/all',
    '/files/x',
    '/FILES',
    '/pOsT../x',
    // The long s and the Kelvin sign
    '/po%C5%BFt/all',
    '/po%c5%bft.%20',
    '/%E2%84%AAio%C5%BFk',
    '/post%20',
    '/post%20/all',
    '/post.%20/all',
    '/post%20.%20',
  ]) {
    isRefused(t, await call(url, 'GET', path), 400, 'target_refused', path)
    const headers = { 'x-forwarded-method': 'GET', 'x-forwarded-uri': path }
    isRefused(t, await call(url, 'GET', '/auth/verify', { headers }), 400, 'target_refused', `verify ${path}`)
  }
  for (const path of ['/post/Admin', '/POST/ADMIN/x', '/post/admin./x'])
    isRefused(t, await call(url, 'GET', path, { token }), 400, 'target_refused', path)
  t.equal(upstream.seen.length, 0)

  for (const path of [
    '/post/All',
    '/post/x.JSON',
    '/Files/Y',
    '/About',
    '/robots.txt',
    '/my%20post',
    '/a%20/b',
    '/a./b',
  ])
    t.equal((await call(url, 'GET', path, { token })).status, 200, path)
  t.equal(upstream.seen.at(-1)!.target, '/a./b', 'forwarded as it came')
})

t.test('an upstream that tells letter case apart has both spellings', async (t) => {
  const upstream = await startUpstream(t)
  const { url } = await startGateway(t, {
    routes: [
      { path: '/', upstream: upstream.url, auth: 'none' },
      { path: '/admin', upstream: upstream.url, caseSensitive: true },
    ],
  })
  t.equal((await call(url, 'GET', '/Admin')).status, 200)
  isRefused(t, await call(url, 'GET', '/admin'), 401, 'credentials_missing')
})
