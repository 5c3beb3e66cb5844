/** Clients that open sockets and do nothing with them, until the gateway has no file descriptor left for others. */
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import net from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import type { Test } from 'tap'
import { authority } from '../support/certificates.js'
import { listen, rawUpstream, until } from '../support/forwarding.js'
import { home, serveGateway, startGateway, startUpstream } from '../support/gateway-process.js'
import { agrees, client, handshake } from '../support/websocket-handshakes.js'
import { head } from '../support/wire.js'

const HEALTH = head('GET /healthz HTTP/1.1', 'Host: x')

/** A socket from an address of this machine, connected. */
async function connect(t: Test, port: number, localAddress: string, first = ''): Promise<net.Socket> {
  const socket = net.connect({ port, host: '127.0.0.1', localAddress }).on('error', () => {})
  t.teardown(() => socket.destroy())
  await once(socket, 'connect')
  if (first !== '') socket.write(first)
  return socket.resume()
}

/** Sends requests one after another on one connection; each rejects if the connection was closed instead. */
async function keepAlive(t: Test, port: number, localAddress: string) {
  const socket = await connect(t, port, localAddress)
  let text = ''
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')))
  return async () => {
    text = ''
    socket.write(HEALTH)
    await until('the health check is served', () => text.includes('"up"') || socket.closed)
    if (socket.closed) throw new Error('the connection was closed')
  }
}

const portOf = (url: string) => Number(new URL(url).port)

t.test('more idle sockets than file descriptors end neither the process nor the service', async (t) => {
  const gateway = await serveGateway(t, {}, undefined, {}, 300)
  const port = portOf(gateway.url)
  const good = await keepAlive(t, port, '127.0.0.2')
  await good()
  const idle = Array.from({ length: 400 }, () => {
    const socket = net.connect(port, '127.0.0.1').on('error', () => {})
    t.teardown(() => socket.destroy())
    return socket.resume()
  })
  await until('those beyond three quarters are closed', () => idle.filter((one) => one.closed).length >= 175)
  // Longer than the second after which the event loop is measured.
  for (const end = performance.now() + 2_500; performance.now() < end;) {
    await good()
    await (
      await keepAlive(t, port, '127.0.0.3')
    )()
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  t.ok(idle.filter((one) => !one.closed).length > 100, 'the others are still open')
  t.match(
    gateway.records().find(({ event }) => event === 'connections_limited'),
    { limit: 225 },
  )
  t.equal(await gateway.stop(), 0, 'and it stops as usual')
})

for (const [name, first] of [
  ['nothing', ''],
  ['half a head', 'GET /open HTTP/1.1\r\nHost: x\r\nX: '],
  ['a request now and then', HEALTH],
] as const) {
  t.test(`beyond limits.connections, a client that sends ${name} closes its own connections`, async (t) => {
    const port = portOf((await startGateway(t, { limits: { connections: 20 } })).url)
    const good = await Promise.all(
      ['127.0.0.2', '127.0.0.3', '127.0.0.4'].map((ip) => keepAlive(t, port, ip)),
    )
    for (const call of good) await call()
    const flood: net.Socket[] = []
    for (let n = 0; n < 60; n += 1) {
      flood.push(await connect(t, port, '127.0.0.1', first))
      if (n % 10 === 0) for (const call of good) await call()
    }
    await until('17 are left', () => flood.filter((one) => !one.closed).length === 17)
    await (
      await keepAlive(t, port, '127.0.0.5')
    )()
    for (const call of good) await call()
  })
}

const LOGIN = head(
  'POST /auth/login HTTP/1.1',
  'Host: x',
  'Content-Type: application/json',
  'Content-Length: 50',
)
const UPLOAD = head('POST /upload HTTP/1.1', 'Host: x', 'Content-Length: 100000')

for (const [name, first] of [
  ['login requests', LOGIN],
  ['uploads', UPLOAD],
] as const) {
  t.test(`${name} whose body never ends do not lock out other addresses`, async (t) => {
    const { url: upstream } = await startUpstream(t)
    const routes = [{ path: '/', upstream, auth: 'none' }]
    const port = portOf((await startGateway(t, { limits: { connections: 20 }, routes })).url)
    const flood: net.Socket[] = []
    for (let n = 0; n < 20; n += 1) flood.push(await connect(t, port, '127.0.0.1', `${first}{`))
    const open = () => flood.filter((one) => !one.closed).length
    t.equal(open(), 20, 'the limit is reached')
    for (const [n, ip] of ['127.0.0.2', '127.0.0.3', '127.0.0.4'].entries()) {
      const good = await keepAlive(t, port, ip)
      await good()
      await until('one of the flood has made room', () => open() === 19 - n)
      const more = await connect(t, port, '127.0.0.1', `${first}{`)
      await until('the flood gets no place back', () => more.closed)
      await good()
    }
    t.equal(open(), 17)
  })
}

t.test("clients with equally many connections don't cut each other's uploads", async (t) => {
  const upstream = await startUpstream(t)
  const routes = [{ path: '/', upstream: upstream.url, auth: 'none' }]
  const port = portOf((await startGateway(t, { limits: { connections: 4 }, routes })).url)
  const uploads: net.Socket[] = []
  for (const ip of ['127.0.0.2', '127.0.0.3', '127.0.0.2', '127.0.0.3'])
    uploads.push(await connect(t, port, ip, `${UPLOAD}{`))
  await until('the upstream has them', () => upstream.seen.length === 4)
  const another = await connect(t, port, '127.0.0.2')
  await until('the newcomer is closed', () => another.closed)
  t.notOk(uploads.some((one) => one.closed))
})

t.test('a request in progress is never closed for a new connection, nor is a WebSocket', async (t) => {
  const waiting: (() => void)[] = []
  const server = createServer((_request, response) => void waiting.push(() => response.end('served')))
  const sockets = await rawUpstream(t, agrees())
  const routes = [
    { path: '/live', upstream: `http://127.0.0.1:${sockets.port}`, auth: 'none' },
    { path: '/', upstream: `http://127.0.0.1:${await listen(t, server)}`, auth: 'none' },
  ]
  const port = portOf((await startGateway(t, { limits: { connections: 4 }, routes })).url)
  const live = client(t, port, handshake())
  await live.got('101 Switching')
  const slow = [1, 2, 3].map(() =>
    client(t, port, head('GET /slow HTTP/1.1', 'Host: x', 'Connection: close')),
  )
  await until('the upstream has them', () => waiting.length === 3)
  const refused = await connect(t, port, '127.0.0.1')
  await until('a fifth connection is closed', () => refused.closed)
  for (const respond of waiting) respond()
  for (const one of slow) await one.got('served')
  for (const one of slow) await one.ended()
  await (
    await keepAlive(t, port, '127.0.0.1')
  )()
  t.equal(live.end, undefined)
})

t.test(
  'a TLS handshake that never begins, or never ends, is closed after limits.headersTimeout',
  async (t) => {
    const directory = await home(t)
    const { cert, key } = authority('the test').issue('127.0.0.1')
    const files = { cert: join(directory, 'cert.pem'), key: join(directory, 'key.pem') }
    await writeFile(files.cert, cert)
    await writeFile(files.key, key)
    const upstream = await startUpstream(t)
    const settings = {
      listen: { host: '127.0.0.1', port: 0, tls: files },
      routes: [{ path: '/', upstream: upstream.url, auth: 'none' }],
      limits: { headersTimeout: '300ms' },
    }
    const port = portOf((await startGateway(t, settings, directory)).url)
    // The second is the beginning of a ClientHello of 512 bytes.
    for (const first of ['', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03']) {
      const socket = await connect(t, port, '127.0.0.1', first)
      await until('it is closed', () => socket.closed)
    }
    const limited = portOf(
      (await startGateway(t, { ...settings, limits: { connections: 2 } }, directory)).url,
    )
    const flood: net.Socket[] = []
    for (let n = 0; n < 10; n += 1) flood.push(await connect(t, limited, '127.0.0.1'))
    await until('2 are left', () => flood.filter((one) => !one.closed).length === 2)
  },
)
