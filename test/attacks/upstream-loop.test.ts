/** An upstream that leads back to the gateway: one request would be forwarded for ever, and use up all connections. */
import http from 'node:http'
import t from 'tap'
import { listen } from '../support/forwarding.js'
import { freePort } from '../support/free-port.js'
import {
  call,
  home,
  isRefused,
  logIn,
  serveGateway,
  startGateway,
  startUpstream,
} from '../support/gateway-process.js'

/** A proxy that passes all headers on, as nginx does. */
function proxyTo(port: number, rewrite = (path: string) => path) {
  const passed: string[] = []
  const server = http.createServer((request, response) => {
    passed.push(request.url!)
    const { method, headers } = request
    const path = rewrite(request.url!)
    const onward = http.request({ host: '127.0.0.1', port, method: method!, path, headers }, (answer) => {
      response.writeHead(answer.statusCode!, answer.headers)
      answer.pipe(response)
    })
    onward.on('error', () => response.destroy())
    request.pipe(onward)
  })
  return { server, passed }
}

t.test('an upstream that is the gateway itself is 508 after one pass, and is named in the log', async (t) => {
  const port = await freePort()
  const self = `http://127.0.0.1:${port}`
  const routes = [
    { path: '/open', upstream: self, auth: 'none' },
    { path: '/deeper', upstream: self, auth: 'none', rewritePrefix: '/deeper/and/deeper' },
    { path: '/guarded', upstream: self },
  ]
  const gateway = await serveGateway(t, { listen: { host: '127.0.0.1', port }, routes })
  const { access_token: token } = await logIn(gateway.url)
  for (const path of ['/open', '/deeper', '/guarded']) {
    const headers = { authorization: `Bearer ${token}`, connection: 'close' }
    isRefused(t, await call(gateway.url, 'GET', path, { headers }), 508, 'upstream_loop')
  }
  t.match(
    gateway.records().find(({ event }) => event === 'upstream_loop'),
    {
      route: '/open',
      upstream: self,
    },
  )
  isRefused(t, await call(gateway.url, 'GET', '/guarded'), 401, 'credentials_missing', 'still guarded')
})

t.test('a loop through another proxy, or another gateway, is found', async (t) => {
  const port = await freePort()
  const { server, passed } = proxyTo(port)
  const proxy = `http://127.0.0.1:${await listen(t, server)}`
  const directory = await home(t)
  const upstreams = { path: '/far', upstream: proxy, auth: 'none' }
  const other = await startGateway(t, { routes: [upstreams] }, directory)
  await startGateway(t, {
    listen: { host: '127.0.0.1', port },
    routes: [
      { path: '/near', upstream: proxy, auth: 'none' },
      { path: '/far', upstream: other.url, auth: 'none' },
    ],
  })
  isRefused(t, await call(`http://127.0.0.1:${port}`, 'GET', '/near'), 508, 'upstream_loop')
  isRefused(t, await call(`http://127.0.0.1:${port}`, 'GET', '/far'), 508, 'upstream_loop')
  t.strictSame(passed, ['/near', '/far'])
})

t.test(
  'an application may call another route of the gateway with the headers that it received',
  async (t) => {
    const port = await freePort()
    const api = await startUpstream(t)
    const { server } = proxyTo(port, () => '/api')
    const routes = [
      { path: '/app', upstream: `http://127.0.0.1:${await listen(t, server)}`, auth: 'none' },
      { path: '/api', upstream: api.url, auth: 'none' },
    ]
    await startGateway(t, { listen: { host: '127.0.0.1', port }, routes })
    const headers = { 'cdn-loop': 'cdn.example' }
    t.equal((await call(`http://127.0.0.1:${port}`, 'GET', '/app', { headers })).status, 200)
    t.match(
      api.seen[0]!.headers['cdn-loop'],
      /^cdn\.example, portcullis-[0-9a-f]{12}, portcullis-[0-9a-f]{12}$/,
    )
  },
)
