/**
 * Clients that are slow on purpose, to hold what there is a limited number of: heads and bodies that drip, answers
 * not read.
 */
import { subscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { createServer } from 'node:http'
import net from 'node:net'
import t from 'tap'
import type { Test } from 'tap'
import { listen, settled, until } from '../support/forwarding.js'
import { LOW_LIMITS, head, startWire } from '../support/wire.js'

const wire = await startWire(t, { limits: { ...LOW_LIMITS, headersTimeout: '700ms', bodyTimeout: '700ms' } })

/** Sends `first`, then a piece of `more` every 50 ms; gives what came back once the gateway has closed. */
async function drip(t: Test, first: string, more: string): Promise<string> {
  const socket = net.connect(wire.port, '127.0.0.1')
  t.teardown(() => socket.destroy())
  let text = ''
  socket.on('data', (chunk) => (text += chunk.toString('latin1')))
  socket.on('error', () => {})
  await once(socket, 'connect')
  if (first !== '') socket.write(first)
  const dripping = more === '' ? undefined : setInterval(() => socket.write(more), 50)
  t.teardown(() => clearInterval(dripping))
  await until('the connection is closed', () => socket.closed)
  clearInterval(dripping)
  return text
}

const CASES: Record<string, [first: string, more: string, answer: RegExp]> = {
  'nothing at all': ['', '', /^(HTTP\/1\.1 408 |$)/],
  'half a request line': ['GET /op', '', /^HTTP\/1\.1 408 /],
  'half a head': ['GET /open HTTP/1.1\r\nHost: x\r\n', '', /^HTTP\/1\.1 408 /],
  'a head byte by byte': ['GET /open HTTP/1.1\r\nHost: x\r\nX: ', 'y', /^HTTP\/1\.1 408 /],
  'a header now and then': ['GET /open HTTP/1.1\r\nHost: x\r\n', 'X: y\r\n', /^HTTP\/1\.1 408 /],
  'empty lines now and then': ['', '\r\n', /^(HTTP\/1\.1 408 |$)/],
  'a second head that drips': [head('GET /open HTTP/1.1', 'Host: x') + 'GET /op', 'e', /HTTP\/1\.1 408 /],
  'a body that never comes': [
    head('POST /open HTTP/1.1', 'Host: x', 'Content-Length: 9'),
    '',
    /^HTTP\/1\.1 408 /,
  ],
  'a chunk that never comes': [
    head('POST /open HTTP/1.1', 'Host: x', 'Transfer-Encoding: chunked') + '5\r\nhe',
    '',
    /^HTTP\/1\.1 408 /,
  ],
  'a last chunk that never comes': [
    head('POST /open HTTP/1.1', 'Host: x', 'Transfer-Encoding: chunked') + '5\r\nhello\r\n',
    '',
    /^HTTP\/1\.1 408 /,
  ],
  'our own: a body byte by byte': [
    head('POST /auth/login HTTP/1.1', 'Host: x', 'Content-Type: application/json', 'Content-Length: 9999'),
    ' ',
    /^HTTP\/1\.1 408 /,
  ],
  'refused before its body was read: a body byte by byte': [
    head('POST /guarded HTTP/1.1', 'Host: x', 'Content-Length: 9999'),
    ' ',
    /^HTTP\/1\.1 401 /,
  ],
  'an expectation, and no body': [
    head('POST /open HTTP/1.1', 'Host: x', 'Content-Length: 9', 'Expect: 100-continue'),
    '',
    /HTTP\/1\.1 (408|417) /,
  ],
  'an expectation, by nobody let in': [
    head('POST /guarded HTTP/1.1', 'Host: x', 'Content-Length: 9', 'Expect: 100-continue'),
    '',
    /HTTP\/1\.1 401 /,
  ],
}

t.test('each is answered and disconnected, while others are served', async (t) => {
  const dripping = Object.entries(CASES).map(async ([name, [first, more, answer]]) => {
    return { name, answer, text: await drip(t, first, more) }
  })
  const { statuses } = await wire.send(head('GET /open/good HTTP/1.1', 'Host: x', 'Connection: close'))
  t.strictSame(statuses, [200])
  for (const { name, answer, text } of await Promise.all(dripping)) t.match(text, answer, name)
  const targets = new Set(wire.upstream.requests.map(({ target }) => target))
  t.strictSame([...targets].toSorted(), ['/open', '/open/good'])
  const bodies = wire.upstream.requests.filter(({ method }) => method === 'POST')
  t.strictSame(bodies, [], 'no body that was not whole reached the upstream as one')
})

t.test('hundreds of half heads delay nobody', async (t) => {
  const sockets = Array.from({ length: 300 }, () => net.connect(wire.port, '127.0.0.1').on('error', () => {}))
  t.teardown(() => sockets.forEach((socket) => socket.destroy()))
  sockets.forEach((socket) => socket.resume().write('GET /open HTTP/1.1\r\nHost: x\r\nX: '))
  for (let n = 0; n < 5; n++) {
    const { statuses } = await wire.send(head('GET /open/among HTTP/1.1', 'Host: x', 'Connection: close'))
    t.strictSame(statuses, [200])
  }
  await until('all of them are closed', () => sockets.every((socket) => socket.closed))
})

/** The gateway's end of a client's connection: one that isn't read from doesn't notice by itself that it was cut. */
const accepted = new Map<number | undefined, net.Socket>()
subscribe('net.server.socket', (message) => {
  const { socket } = message as { socket: net.Socket }
  accepted.set(socket.remotePort, socket)
})

/** A client that never reads; `isCut` returns true once the gateway has closed its end. */
async function connectDeaf(t: Test, port: number) {
  const socket = net.connect(port, '127.0.0.1').on('error', () => {})
  t.teardown(() => socket.destroy())
  socket.pause()
  await once(socket, 'connect')
  const { localPort } = socket // a socket that was reset has none any more
  return { socket, isCut: () => accepted.get(localPort)?.destroyed ?? false }
}

for (const [name, bytes] of [
  ['nothing', ''],
  ['empty lines', '\r\n'],
  ['requests', head('GET /more HTTP/1.1', 'Host: x')],
] as const) {
  t.test(
    `a client that never reads and sends ${name} is disconnected, and its upstream connection freed`,
    async (t) => {
      let written = 0
      let isOver = false
      const server = createServer((request, response) => {
        const more = () => {
          do written += 65_536
          while (!response.destroyed && response.write(Buffer.alloc(65_536)))
        }
        response.on('drain', more).on('close', () => (isOver = true))
        request.resume()
        more()
      })
      const upstream = `http://127.0.0.1:${await listen(t, server)}`
      const other = await startWire(t, { routes: [{ path: '/', upstream, auth: 'none' }] })
      const { socket, isCut } = await connectDeaf(t, other.port)
      socket.write(head('GET /endless HTTP/1.1', 'Host: x'))
      // More often than a timeout that counts it as life would allow.
      const dripping = setInterval(() => socket.write(bytes), 100)
      t.teardown(() => clearInterval(dripping))
      await until('the upstream is let go', () => isOver)
      t.ok(written > 100_000 && written < 50_000_000, `${written} bytes were taken from the upstream`)
      await until('it is cut', isCut)
    },
  )
}

t.test('nor can it stay by requesting many small responses', async (t) => {
  let answered = 0
  const server = createServer((_request, response) => {
    answered += 1
    response.end(Buffer.alloc(12_000))
  })
  const upstream = `http://127.0.0.1:${await listen(t, server)}`
  const other = await startWire(t, { routes: [{ path: '/', upstream, auth: 'none' }] })
  const { socket, isCut } = await connectDeaf(t, other.port)
  // As long as they are answered, into the system's buffers; never so many at once that it is cut for that.
  let asked = 0
  while (asked === answered && asked < 5_000) {
    socket.write(head('GET /small HTTP/1.1', 'Host: x').repeat(50))
    asked += 50
    await settled(() => answered)
  }
  t.ok(answered < asked && asked < 5_000, `${answered} of ${asked} are answered`)
  await until('it is cut', isCut)
})
