/** Requests that are pipelined behind a slow response, to fill the memory of the gateway. */
import { subscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import net from 'node:net'
import t from 'tap'
import { rawUpstream, settled, until } from '../support/forwarding.js'
import { startGateway } from '../support/gateway-process.js'
import { head } from '../support/wire.js'

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
const REQUESTS = 250

/** The gateway's ends of the connections, by the client's port. */
const accepted = new Map<number | undefined, net.Socket>()
subscribe('net.server.socket', (message) => {
  const { socket } = message as { socket: net.Socket }
  accepted.set(socket.remotePort, socket)
})

t.test('while a request waits for the response before it, no more is read from the client', async (t) => {
  let isSlow = true
  const upstream = await rawUpstream(t, (socket, seen) => {
    if (seen.endsWith('\r\n\r\n') && !isSlow) socket.write(OK)
  })
  const { url } = await startGateway(t, {
    routes: [{ path: '/', upstream: `http://127.0.0.1:${upstream.port}`, auth: 'none' }],
  })
  const socket = net.connect(Number(new URL(url).port), '127.0.0.1').on('error', () => {})
  t.teardown(() => socket.destroy())
  await once(socket, 'connect')
  let text = ''
  socket.on('data', (chunk) => (text += chunk.toString('latin1')))
  await until('it is accepted', () => accepted.has(socket.localPort))
  const end = accepted.get(socket.localPort)!

  socket.write(head('GET /slow HTTP/1.1', 'Host: x'))
  await until('the upstream has the first request', () => upstream.seen.length === 1)
  const first = end.bytesRead
  socket.write(head('GET /second HTTP/1.1', 'Host: x'))
  await until('the second request is read', () => end.bytesRead > first)
  const second = end.bytesRead
  const large = head('GET /more HTTP/1.1', 'Host: x', `X-Large: ${'x'.repeat(4000)}`)
  for (let n = 0; n < REQUESTS; n += 1) socket.write(large)
  const read = (await settled(() => end.bytesRead)) - second
  t.ok(read < 200_000, `${read} bytes of ${REQUESTS * large.length} were read`)
  t.notOk(end.destroyed, 'the client is not disconnected')

  isSlow = false
  upstream.sockets[0]!.write(OK)
  const responses = () => text.split('HTTP/1.1 200 OK').length - 1
  await until('all requests have a response', () => responses() === REQUESTS + 2)
  socket.write(head('GET /last HTTP/1.1', 'Host: x'))
  await until('the connection serves more requests', () => responses() === REQUESTS + 3)
})
