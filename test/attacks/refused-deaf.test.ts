/** Clients that are refused, read nothing of the response, and don't close, to keep their sockets. */
import { subscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import net from 'node:net'
import t from 'tap'
import { until } from '../support/forwarding.js'
import { LOW_LIMITS, head, startWire } from '../support/wire.js'

const wire = await startWire(t, { limits: LOW_LIMITS })

/** The gateway's ends of the connections, by the client's port. */
const accepted = new Map<number | undefined, net.Socket>()
subscribe('net.server.socket', (message) => {
  const { socket } = message as { socket: net.Socket }
  accepted.set(socket.remotePort, socket)
})

const REFUSED: Record<string, string> = {
  'a request line that can’t be read (400)': 'GET\r\n\r\n',
  'two lengths (400)': head('POST /open HTTP/1.1', 'Host: x', 'Content-Length: 1', 'Content-Length: 2'),
  'no host (400)': head('GET /open HTTP/1.1'),
  'an absolute target of another host (400)': head('GET http://other/ HTTP/1.1', 'Host: x'),
  'no headers (408)': 'GET /open HTTP/1.1\r\nHost: x\r\n',
  'no body on a proxied route (408)': head('POST /open HTTP/1.1', 'Host: x', 'Content-Length: 9'),
  'no body on one of our own routes (408)': head(
    'POST /auth/login HTTP/1.1',
    'Host: x',
    'Content-Type: application/json',
    'Content-Length: 9',
  ),
  'a body that is too large (413)': head('POST /open HTTP/1.1', 'Host: x', 'Content-Length: 99999999'),
  'a chunked body that is too large (413)':
    head('POST /open HTTP/1.1', 'Host: x', 'Transfer-Encoding: chunked') + `20000\r\n${'x'.repeat(0x20000)}`,
  'headers that are too large (431)': `GET /open HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
  'an expectation that isn’t supported (417)': head('POST /open HTTP/1.1', 'Host: x', 'Expect: more'),
}

for (const [name, bytes] of Object.entries(REFUSED)) {
  t.test(`the connection is destroyed after ${name}`, async (t) => {
    const socket = net.connect({ port: wire.port, host: '127.0.0.1', allowHalfOpen: true })
    socket.on('error', () => {}).pause()
    t.teardown(() => socket.destroy())
    await once(socket, 'connect')
    await until('it is accepted', () => accepted.has(socket.localPort))
    const end = accepted.get(socket.localPort)!
    socket.write(bytes)
    await until('the gateway has refused it', () => end.bytesWritten > 0 || end.destroyed)
    await until('the gateway has destroyed it', () => end.destroyed)
  })
}
