/** An application behind `rewritePrefix` builds links, and needs the path that clients see. */
import t from 'tap'
import { call, startGateway, startUpstream } from '../support/gateway-process.js'

t.test('X-Forwarded-Prefix is the path of the route, and never the client’s', async (t) => {
  const upstream = await startUpstream(t)
  const { url } = await startGateway(t, {
    routes: [
      { path: '/shop/v1', upstream: upstream.url, auth: 'none', rewritePrefix: '/' },
      { path: '/', upstream: upstream.url, auth: 'none' },
    ],
  })
  const headers = { 'x-forwarded-prefix': '/evil', X_Forwarded_Prefix: '/evil' }
  const prefixAt = async (path: string) => {
    t.equal((await call(url, 'GET', path, { headers })).status, 200)
    const { rawHeaders, target } = upstream.seen.at(-1)!
    t.notMatch(rawHeaders.join(' '), /evil/)
    return [target, upstream.seen.at(-1)!.headers['x-forwarded-prefix']]
  }
  t.strictSame(await prefixAt('/shop/v1/x?y'), ['/x?y', '/shop/v1'])
  t.strictSame(await prefixAt('/x'), ['/x', undefined], 'nothing was replaced')
})
