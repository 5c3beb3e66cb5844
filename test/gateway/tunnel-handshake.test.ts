import t from 'tap'
import { freePort } from '../support/redis.js'
import { rawUpstream, until } from '../support/forwarding.js'
import {
  ACCEPT,
  KEY,
  afterHead,
  agrees,
  client,
  handshake,
  isHead,
  open,
  switching,
} from '../support/websocket-handshakes.js'

const linesOf = (text: string) => text.slice(0, text.indexOf('\r\n\r\n')).split('\r\n')

t.test('the upstream gets the handshake, and the client its response', async (t) => {
  const answer = switching(
    'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=15',
    'Sec-WebSocket-Protocol: chat.v2',
    'X-App: 1',
    'Content-Length: 0',
    'Keep-Alive: timeout=5',
    'Set-Cookie: legacy=1; Path=/',
    'Set-Cookie: __Host-access=stolen; Path=/; Secure',
    'Set-Cookie: other=2',
  )
  const upstream = await rawUpstream(t, (socket, seen) => void (isHead(seen) && socket.write(answer)))
  const port = await open(t, upstream.port)
  const asked = [
    'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, x-other',
    'sec-websocket-protocol: chat.v1, chat.v2',
    'Cookie: __Host-access=a; legacy=1',
    'Keep-Alive: 300',
    'X-Forwarded-User: somebody-else',
    'Origin: http://elsewhere.example',
  ]
  const { got } = client(t, port, handshake(...asked))
  const lines = linesOf(await got('the head', isHead))
  t.equal(lines[0], 'HTTP/1.1 101 Switching Protocols')
  const of = (name: string) => lines.filter((line) => line.toLowerCase().startsWith(`${name}: `))
  t.strictSame(of('connection'), ['Connection: Upgrade'])
  t.strictSame(of('upgrade'), ['Upgrade: websocket'])
  t.strictSame(of('sec-websocket-accept'), [`Sec-WebSocket-Accept: ${ACCEPT}`])
  for (const line of answer.split('\r\n').slice(4, 7)) t.ok(lines.includes(line), line)
  t.strictSame(of('set-cookie'), ['Set-Cookie: legacy=1; Path=/', 'Set-Cookie: other=2'])
  t.strictSame([...of('keep-alive'), ...of('content-length'), ...of('transfer-encoding')], [])

  const seen = linesOf(upstream.seen[0]!)
  t.equal(seen[0], 'GET /live HTTP/1.1')
  const asks = (name: string) => seen.filter((line) => line.toLowerCase().startsWith(`${name}: `))
  t.strictSame(asks('connection'), ['connection: upgrade'])
  t.strictSame(asks('upgrade'), ['upgrade: websocket'])
  for (const line of [
    `Sec-WebSocket-Key: ${KEY}`,
    'Sec-WebSocket-Version: 13',
    asked[0]!,
    asked[1]!,
    asked[5]!,
  ])
    t.ok(seen.includes(line), line)
  t.strictSame(asks('cookie'), ['Cookie: legacy=1'])
  t.strictSame([...asks('keep-alive'), ...asks('x-forwarded-user')], [])
})

t.test('early data isn’t lost, and the upstream gets none of it before it has switched', async (t) => {
  const upstream = await rawUpstream(t, () => {})
  const port = await open(t, upstream.port)
  const { socket, got } = client(t, port, handshake() + 'with the head, ')
  await until('the upstream is asked', () => isHead(upstream.seen[0] ?? ''))
  socket.write('after it, ')
  await new Promise((resolve) => setTimeout(resolve, 100))
  t.equal(afterHead(upstream.seen[0]!), '')
  upstream.sockets[0]!.write(switching() + 'greetings')
  await got('greetings')
  socket.write('at last')
  await until('all has come', () => upstream.seen[0]!.endsWith('at last'))
  t.equal(afterHead(upstream.seen[0]!), 'with the head, after it, at last')
})

t.test('an ordinary response is passed on, and the connection closed', async (t) => {
  const answers = {
    'HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 8\r\nContent-Length: 3\r\n\r\nno!':
      /\r\n\r\nno!$/,
    'HTTP/1.1 200 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 2\r\n\r\nok':
      /\r\n\r\nok$/,
    'HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n': /Location: \/login/,
    'HTTP/1.1 204 No Content\r\n\r\n': /^HTTP\/1\.1 204 /,
    'HTTP/1.1 401 Unauthorized\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n':
      /\r\n2\r\nno\r\n0\r\n/,
  }
  for (const [answer, expected] of Object.entries(answers)) {
    const upstream = await rawUpstream(t, (socket, seen) => void (isHead(seen) && socket.write(answer)))
    const port = await open(t, upstream.port)
    const { ended, got } = client(t, port, handshake() + 'GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n')
    t.equal(await ended(), 'end', answer.slice(0, 12))
    const text = await got('the answer', isHead)
    t.match(text, expected)
    t.equal(text.slice(0, 12), answer.slice(0, 12))
    t.match(text, /\r\nConnection: close\r\n/)
    t.notMatch(text, /\r\nUpgrade: /i)
    t.equal(afterHead(upstream.seen.join('')), '', 'nothing of what the client said came')
  }
})

t.test('a large ordinary response arrives complete at the client’s pace', async (t) => {
  // More than the buffers of the system hold on both ways.
  const size = 32 << 20
  const upstream = await rawUpstream(t, (socket, seen) => {
    if (isHead(seen)) socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n` + '.'.repeat(size))
  })
  const port = await open(t, upstream.port)
  const { socket, ended, got } = client(t, port, handshake())
  socket.once('data', () => socket.pause())
  await got('the beginning', isHead)
  await until('the upstream waits', () => upstream.sockets[0]!.writableLength > 0)
  socket.resume()
  t.equal(await ended(), 'end')
  t.equal(afterHead(await got('all of it', isHead)).length, size)
})

t.test('a 101 that doesn’t match the handshake is 502', async (t) => {
  const wrong = {
    'no Sec-WebSocket-Accept': switching().replace(/Sec-WebSocket-Accept.*\r\n/, ''),
    'a wrong one': switching().replace(ACCEPT, KEY),
    'two of them': switching(`Sec-WebSocket-Accept: ${ACCEPT}`),
    'one that Connection takes away': switching('Connection: Sec-WebSocket-Accept'),
    'no Upgrade': 'HTTP/1.1 101 Switching Protocols\r\n\r\n',
  }
  for (const [what, answer] of Object.entries(wrong)) {
    const upstream = await rawUpstream(t, (socket, seen) => {
      if (isHead(seen)) socket.write(answer + 'hello')
    })
    const { ended, got } = client(t, await open(t, upstream.port), handshake() + 'early')
    t.equal(await ended(), 'end')
    t.match(await got('502', isHead), /^HTTP\/1\.1 502 [^]*upstream_unavailable/, what)
    await until('the upstream’s connection is closed', () => upstream.sockets[0]!.destroyed)
    t.equal(afterHead(upstream.seen[0]!), '')
  }
})

t.test('a server that can’t be reached: the next one is tried', async (t) => {
  const upstream = await rawUpstream(t, agrees())
  const dead = `http://127.0.0.1:${await freePort()}`
  const port = await open(t, [dead, `http://127.0.0.1:${upstream.port}`])
  for (let n = 1; n <= 3; n += 1) {
    await client(t, port, handshake()).got('101 Switching')
    t.equal(upstream.sockets.length, n)
  }
})

t.test('an upstream that doesn’t respond is 504, one that disconnects 502', async (t) => {
  const silent = await rawUpstream(t, () => {})
  const port = await open(t, silent.port, { timeouts: { headers: '600ms' } })
  const late = client(t, port, handshake())
  t.equal(await late.ended(), 'end')
  t.match(late.text, /^HTTP\/1\.1 504 [^]*upstream_timeout/)
  const rude = await rawUpstream(t, (socket, seen) => void (isHead(seen) && socket.resetAndDestroy()))
  const lost = client(t, await open(t, rude.port), handshake())
  t.equal(await lost.ended(), 'end')
  t.match(lost.text, /^HTTP\/1\.1 502 /)
})

t.test('a client that disconnects while it waits closes the upstream’s connection', async (t) => {
  const upstream = await rawUpstream(t, () => {})
  const port = await open(t, upstream.port)
  for (const how of ['end', 'resetAndDestroy'] as const) {
    const { socket } = client(t, port, handshake())
    const waiting = () => upstream.sockets.findLast((_, at) => isHead(upstream.seen[at]!))
    await until('the upstream is asked', () => waiting()?.destroyed === false)
    socket[how]()
    await until(`closed after ${how}`, () => waiting()!.destroyed)
  }
  t.equal(upstream.seen.filter(isHead).length, 2)
})
