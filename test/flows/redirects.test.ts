/** An upstream that doesn't know its public address redirects to its inner one. */
import http from 'node:http'
import t from 'tap'
import { call, startGateway } from '../support/gateway-process.js'
import { listen } from '../support/forwarding.js'

t.test('redirects: rewrite hides the inner address of an upstream; the default keeps it', async (t) => {
  const server = http.createServer(({ headers, url }, response) => {
    const inner = `http://${headers.host}`
    response.writeHead(302, { location: `${inner}${url}/next?a`, 'content-location': `${inner}${url}` }).end()
  })
  const upstream = `http://127.0.0.1:${await listen(t, server)}`
  const route = { upstream, auth: 'none', host: 'upstream', rewritePrefix: '/inner' }
  const { url } = await startGateway(t, {
    routes: [
      { ...route, path: '/kept' },
      { ...route, path: '/shop', redirects: 'rewrite' },
    ],
  })
  const headersAt = async (path: string) => {
    const { status, headers } = await call(url, 'GET', path)
    return [status, headers['location'], headers['content-location']]
  }
  t.strictSame(await headersAt('/shop/x'), [302, '/shop/x/next?a', '/shop/x'])
  t.strictSame(await headersAt('/kept/x'), [302, `${upstream}/inner/x/next?a`, `${upstream}/inner/x`])
})
