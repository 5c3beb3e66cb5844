/** Upstreams that listen on a Unix socket. */
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import http from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import type { Test } from 'tap'
import { bodyOf, gateway, get, raw, until } from '../support/forwarding.js'
import { agrees, handshake } from '../support/websocket-handshakes.js'
import net from 'node:net'
import { startGateway } from '../support/gateway-process.js'

async function listenAt(t: Test, server: net.Server, name: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'portcullis-unix-'))
  const path = join(directory, name)
  server.listen(path)
  await once(server, 'listening')
  t.teardown(async () => {
    server.close()
    if (server instanceof http.Server) server.closeAllConnections()
    await rm(directory, { recursive: true })
  })
  return path
}

t.test('requests pass to a Unix socket, whose path may have a blank, and share connections', async (t) => {
  const seen: string[] = []
  let connections = 0
  const server = http.createServer((request, response) => {
    seen.push(`${request.method} ${request.url} ${request.headers.host}`)
    response.end(request.method === 'HEAD' ? undefined : 'ok')
  })
  server.on('connection', () => (connections += 1))
  const path = await listenAt(t, server, 'an api.sock')
  const { port, outcomes } = await gateway(t, [`unix://${path}`])
  for (let n = 0; n < 3; n++) t.equal(bodyOf((await get(port)).text), 'ok')
  t.equal(connections, 1)
  // A connection isn't used again after a HEAD. Node can't reset one to a Unix socket.
  t.match((await get(port, 'HEAD')).text, /^HTTP\/1\.1 200 /)
  const upload = 'POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nab'
  t.match((await raw(port, upload)).text, /^HTTP\/1\.1 200 /)
  t.strictSame(seen, ['GET / x', 'GET / x', 'GET / x', 'HEAD / x', 'POST /a x'])
  t.ok(outcomes.every(({ kind }) => kind === 'answered'))
  const own = await gateway(t, [`unix://${path}`], { host: 'upstream' })
  await get(own.port)
  t.equal(seen.at(-1), 'GET / localhost')
})

t.test('a WebSocket passes to a Unix socket', async (t) => {
  const upstream = net.createServer((socket) => {
    let seen = ''
    socket.on('error', () => {})
    socket.on('data', (data) => agrees('hello')(socket, (seen += data.toString('latin1'))))
  })
  const path = await listenAt(t, upstream, 'live.sock')
  const { url } = await startGateway(t, {
    routes: [{ path: '/live', upstream: `unix://${path}`, auth: 'none' }],
  })
  const client = net.connect(Number(new URL(url).port), '127.0.0.1')
  t.teardown(() => client.destroy())
  let text = ''
  client.on('data', (data) => (text += data.toString('latin1')))
  client.write(handshake())
  await until('the tunnel is open', () => text.endsWith('hello'))
  t.match(text, /^HTTP\/1\.1 101 /)
})

t.test('a Unix socket that nobody listens on is an upstream that is down', async (t) => {
  const changes: string[] = []
  const onHealth = (origin: string, isUp: boolean, reason: string) =>
    void changes.push(`${isUp} ${origin} ${reason}`)
  const origin = 'unix:///nowhere/api.sock'
  const { port, outcome } = await gateway(t, [origin], { upstreams: { onHealth } })
  t.match((await get(port)).text, /^HTTP\/1\.1 502 /)
  t.match(await outcome(), { error: 'upstream_unavailable', reason: 'ENOENT' })
  t.strictSame(changes, [`false ${origin} ENOENT`])
})
