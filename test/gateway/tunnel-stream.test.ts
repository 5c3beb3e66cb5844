import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { join } from 'node:path'
import tls from 'node:tls'
import { promisify } from 'node:util'
import t from 'tap'
import { WebSocket, WebSocketServer } from 'ws'
import { home, startGateway } from '../support/gateway-process.js'
import { listen, rawUpstream, settled, until } from '../support/forwarding.js'
import { afterHead, agrees, client, handshake, isHead, open } from '../support/websocket-handshakes.js'

t.test('messages pass both ways, also compressed, and so does the closing handshake', async (t) => {
  const server = createServer()
  const closes: number[] = []
  const sockets = new WebSocketServer({ server, perMessageDeflate: { threshold: 0 } })
  sockets.on('connection', (socket) => {
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
    socket.on('close', (code) => closes.push(code))
  })
  const port = await open(t, await listen(t, server))
  const socket = new WebSocket(`ws://127.0.0.1:${port}/live`, { perMessageDeflate: { threshold: 0 } })
  await once(socket, 'open')
  t.equal(socket.extensions, 'permessage-deflate')
  for (const size of [1, 125, 126, 70_000, 1 << 20]) {
    const message = 'm'.repeat(size)
    socket.send(message)
    t.equal(String((await once(socket, 'message'))[0]), message)
  }
  socket.close(4000)
  t.equal((await once(socket, 'close'))[0], 4000)
  await until('the upstream hears of it', () => closes.length === 1)
  t.equal(closes[0], 4000)
})

t.test('silence doesn’t end a tunnel, nor do the HTTP timeouts of its connection', async (t) => {
  const limits = { idle: '200ms', headersTimeout: '200ms', bodyTimeout: '200ms' }
  const timeouts = { headers: '200ms', body: '200ms', total: '200ms' }
  const upstream = await rawUpstream(t, (socket, seen) => {
    if (seen.startsWith('GET /live')) agrees()(socket, seen)
    else if (isHead(seen)) socket.write('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok')
  })
  const port = await open(t, upstream.port, { limits, timeouts })
  const fresh = client(t, port, handshake())
  const used = client(t, port, 'GET /first HTTP/1.1\r\nHost: x\r\n\r\n')
  await used.got('the first answer', (text) => text.endsWith('ok'))
  used.socket.write(handshake())
  for (const { got } of [fresh, used]) await got('101 Switching')
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  const tunnels = upstream.sockets.filter((_, at) => upstream.seen[at]!.includes('/live'))
  t.equal(tunnels.length, 2)
  for (const tunnel of tunnels) tunnel.write('still here')
  for (const { got, socket } of [fresh, used]) {
    await got('still here')
    socket.write('so am I')
  }
  await until(
    'both have answered',
    () => upstream.seen.filter((seen) => seen.endsWith('so am I')).length === 2,
  )
})

const LOT = 32 << 20

t.test('backpressure works in both directions', async (t) => {
  const upstream = await rawUpstream(t, agrees())
  const { socket, got } = client(t, await open(t, upstream.port), handshake())
  await got('101 Switching')
  const behind = upstream.sockets[0]!
  const cases = [
    [behind, socket],
    [socket, behind],
  ] as const
  for (const [from, to] of cases) {
    to.pause()
    let received = 0
    to.on('data', (chunk) => (received += chunk.length))
    to.pause()
    let sent = 0
    from.write(Buffer.alloc(LOT), () => (sent = LOT))
    await settled(() => from.writableLength)
    t.equal(sent, 0, 'the sender has to wait')
    to.resume()
    await until('all has come', () => received === LOT)
  }
})

t.test('an end on either side is passed on after all data', async (t) => {
  for (const side of ['client', 'upstream'] as const) {
    const upstream = await rawUpstream(t, agrees())
    const { socket, got, ended, ...connection } = client(t, await open(t, upstream.port), handshake())
    await got('101 Switching')
    const behind = upstream.sockets[0]!
    const last = '.'.repeat(3 << 20)
    if (side === 'client') {
      let hasEnded = false
      behind.once('end', () => (hasEnded = true))
      socket.end(last)
      await until('the upstream hears of it', () => hasEnded)
      t.equal(afterHead(upstream.seen[0]!).length, last.length)
    } else {
      behind.end(last)
      t.equal(await ended(), 'end')
      await got('all', (text) => afterHead(text).length === last.length)
    }
    await until('both are closed', () => behind.destroyed && socket.destroyed)
    t.not(connection.end, 'reset')
  }
})

t.test('a connection that breaks on one side is closed on the other', async (t) => {
  const upstream = await rawUpstream(t, agrees())
  const port = await open(t, upstream.port)
  const left = client(t, port, handshake())
  await left.got('101 Switching')
  left.socket.resetAndDestroy()
  await until('the upstream’s is closed', () => upstream.sockets[0]!.destroyed)
  const right = client(t, port, handshake())
  await right.got('101 Switching')
  upstream.sockets[1]!.resetAndDestroy()
  await right.ended()
})

t.test('a half-open tunnel is closed after a while', async (t) => {
  const upstream = await rawUpstream(t, agrees())
  const { socket, got } = client(t, await open(t, upstream.port), handshake())
  await got('101 Switching')
  const behind = upstream.sockets[0]!
  // It doesn't end its own side when the other has.
  behind.allowHalfOpen = true
  let hasEnded = false
  behind.once('end', () => (hasEnded = true))
  socket.end()
  await until('the upstream hears of it', () => hasEnded)
  const talk = setInterval(() => void behind.write('more'), 50)
  behind.once('close', () => clearInterval(talk))
  await until('both are closed', () => behind.destroyed && socket.destroyed)
})

t.test('WebSockets over TLS', async (t) => {
  const directory = await home(t)
  const [cert, key] = [join(directory, 'cert.pem'), join(directory, 'key.pem')]
  const request = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost'
  await promisify(execFile)('openssl', [...request.split(' '), '-keyout', key, '-out', cert])
  const upstream = await rawUpstream(t, (connection, seen) => {
    if (seen.includes('Upgrade: h2c') || seen.startsWith('GET /plain'))
      connection.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    else agrees()(connection, seen)
  })
  const { url } = await startGateway(t, {
    listen: { host: '127.0.0.1', port: 0, tls: { cert, key } },
    routes: [{ path: '/', auth: 'none', upstream: `http://127.0.0.1:${upstream.port}` }],
  })
  const connect = async (bytes: string) => {
    const socket = tls.connect({ port: Number(new URL(url).port), rejectUnauthorized: false })
    t.teardown(() => socket.destroy())
    await once(socket, 'secureConnect')
    let text = ''
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')))
    socket.write(bytes)
    return { socket, text: () => text }
  }
  const { socket, text } = await connect(handshake())
  await until('it is open', () => text().includes('101 Switching'))
  socket.write('ping')
  await until('it arrives', () => upstream.seen[0]!.endsWith('ping'))
  upstream.sockets[0]!.write('pong')
  await until('so does the answer', () => text().endsWith('pong'))
  socket.destroy()
  await until('its end, too', () => upstream.sockets[0]!.destroyed)
  const other = 'GET /plain HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n'
  const plain = await connect(other)
  await until('another upgrade is answered', () => plain.text().endsWith('ok'))
})

t.test('a stopping gateway waits for open tunnels as long as for requests, then closes them', async (t) => {
  const upstream = await rawUpstream(t, agrees())
  const server = await startGateway(t, {
    timeouts: { shutdown: '300ms' },
    routes: [{ path: '/', auth: 'none', upstream: `http://127.0.0.1:${upstream.port}` }],
  })
  const { got, ended, ...connection } = client(t, Number(new URL(server.url).port), handshake())
  await got('101 Switching')
  const closing = server.close()
  upstream.sockets[0]!.write('still open')
  await got('still open')
  t.equal(connection.end, undefined)
  await closing
  await ended()
  await until('closed on the other side', () => upstream.sockets[0]!.destroyed)
})
