/** One client that wants to occupy all connections to an upstream, so that no other client is served. */
import { once } from 'node:events'
import net from 'node:net'
import t from 'tap'
import type { Test } from 'tap'
import { gateway, rawUpstream, until } from '../support/forwarding.js'
import { startGateway } from '../support/gateway-process.js'
import { head } from '../support/wire.js'

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

async function connect(t: Test, port: number, localAddress = '127.0.0.1') {
  const socket = net.connect({ host: '127.0.0.1', port, localAddress }).on('error', () => {})
  t.teardown(() => socket.destroy())
  const client = { socket, text: '' }
  socket.on('data', (chunk) => (client.text += chunk.toString('latin1')))
  await once(socket, 'connect')
  return client
}

t.test('requests whose body never arrives occupy no connection', async (t) => {
  const upstream = await rawUpstream(t, (socket, seen) => {
    if (seen.endsWith('\r\n\r\n') || seen.endsWith('body')) socket.write(OK)
  })
  const { port, forwardings } = await gateway(t, upstream.port, { upstreams: { connections: 4 } })
  const clients = await Promise.all(Array.from({ length: 20 }, () => connect(t, port)))
  for (const [at, { socket }] of clients.entries()) {
    const framing = at % 2 === 0 ? 'Content-Length: 4' : 'Transfer-Encoding: chunked'
    socket.write(head('POST /slow HTTP/1.1', 'Host: x', framing))
  }
  await until('all of them are forwarded', () => forwardings.length === 20)
  const good = await connect(t, port)
  good.socket.write(head('GET /good HTTP/1.1', 'Host: x'))
  await until('another client is served', () => good.text.endsWith('ok'))
  t.notMatch(upstream.seen.join(''), '/slow')
  clients[0]!.socket.write('body')
  await until('the request is sent when its body arrives', () => clients[0]!.text.endsWith('ok'))
  t.match(upstream.seen.join(''), /POST \/slow [^]*\r\n\r\nbody$/)
})

t.test('slow responses to one address occupy half of the connections', async (t) => {
  const upstream = await rawUpstream(t, (socket, seen) => {
    if (seen.includes('/good')) socket.write(OK)
  })
  const { url } = await startGateway(t, {
    routes: [{ path: '/', upstream: `http://127.0.0.1:${upstream.port}`, auth: 'none' }],
    upstreams: { connections: 4 },
  })
  const port = Number(new URL(url).port)
  const held = () => upstream.seen.filter((seen) => seen.includes('/slow')).length
  const clients = await Promise.all(Array.from({ length: 12 }, () => connect(t, port)))
  for (const { socket } of clients) socket.write(head('GET /slow HTTP/1.1', 'Host: x'))
  await until('the slow requests have their share', () => held() === 2)
  // Another address is served again and again, and its requests are behind those of the first address.
  for (let n = 0; n < 5; n += 1) {
    const good = await connect(t, port, '127.0.0.2')
    good.socket.write(head('GET /good HTTP/1.1', 'Host: x'))
    await until('another address is served', () => good.text.endsWith('ok'))
  }
  t.equal(held(), 2)
  for (const socket of upstream.sockets) socket.destroy()
  await until('the next requests of the address take the place of those that have ended', () => held() >= 4)
})

/** Sends pieces of a body, and moves the clock by 5.1 s before each but the first. Returns the response. */
async function upload(t: Test, pieces: readonly number[], minBodyRate?: number): Promise<string> {
  const length = pieces.reduce((sum, bytes) => sum + bytes, 0)
  const upstream = await rawUpstream(t, (socket, seen) => {
    const at = seen.indexOf('\r\n\r\n')
    if (seen.length - at - 4 === length) socket.write(OK)
  })
  const limits = { bodyTimeout: 60_000, ...(minBodyRate !== undefined && { minBodyRate }) }
  const { port } = await gateway(t, upstream.port, { limits })
  const client = await connect(t, port)
  const real = performance.now
  let shift = 0
  performance.now = () => real.call(performance) + shift
  try {
    client.socket.write(head('POST / HTTP/1.1', 'Host: x', `Content-Length: ${length}`))
    let sent = 0
    for (const bytes of pieces) {
      if (sent > 0) shift += 5100
      client.socket.write('x'.repeat(bytes))
      sent += bytes
      const arrived = () => upstream.seen.join('').split('\r\n\r\n')[1]?.length === sent
      await until('the piece has arrived, or there is a response', () => arrived() || client.text !== '')
      if (client.text.startsWith('HTTP/1.1 408 ')) return client.text
    }
    await until('there is a response', () => client.text !== '')
    return client.text
  } finally {
    performance.now = real
  }
}

t.test('a body that arrives slower than limits.minBodyRate after 5 s is 408', async (t) => {
  t.match(await upload(t, [1, 1, 1], 240), /^HTTP\/1\.1 408 /, 'a byte now and then')
  t.match(await upload(t, [100_000, 1, 1, 1], 240), /^HTTP\/1\.1 408 /, 'a fast beginning buys no time')
  t.match(await upload(t, [1300, 1300, 1300], 240), /^HTTP\/1\.1 200 /, 'fast enough')
  t.match(await upload(t, [1, 1, 1], 0), /^HTTP\/1\.1 200 /, 'no minimum')
})
