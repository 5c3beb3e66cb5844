/** An upstream that was talked into answering 101 doesn't turn the connection into a tunnel. */
import t from 'tap'
import { rawUpstream, until } from '../support/forwarding.js'
import {
  ASKS,
  afterHead,
  client,
  handshake,
  isHead,
  open,
  switching,
} from '../support/websocket-handshakes.js'
import { SMUGGLED, head } from '../support/wire.js'

const bare = head('HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: websocket')

t.test('101 for a request without an upgrade is 502', async (t) => {
  for (const answer of [switching(), bare, head('HTTP/1.1 101 Switching Protocols')]) {
    for (const lines of [[], ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c'], ASKS.slice(0, 2)]) {
      const upstream = await rawUpstream(t, (socket, seen) => void (isHead(seen) && socket.write(answer)))
      const port = await open(t, upstream.port)
      const bytes = head('GET /redirect?status=101 HTTP/1.1', 'Host: x', ...lines)
      const one = client(t, port, bytes)
      await one.got('an answer', (text) => text.includes('"request_id"'))
      one.socket.end(SMUGGLED.replace('/guarded/', '/auth/'))
      await one.ended()
      t.match(one.text, /^HTTP\/1\.1 502 /, lines.join())
      t.notMatch(one.text, / 101 /)
      t.equal(afterHead(upstream.seen[0]!), '', 'and nothing more went there')
    }
  }
})

t.test('101 before the handshake was sent is 502', async (t) => {
  const upstream = await rawUpstream(t, (socket, seen) => void (isHead(seen) && socket.write(bare)))
  const port = await open(t, upstream.port)
  const one = client(t, port, handshake().replace('/live', '/redirect?status=101') + SMUGGLED)
  await one.ended()
  t.match(one.text, /^HTTP\/1\.1 502 /)
  await until('its connection is closed', () => upstream.sockets[0]!.destroyed)
  t.equal(afterHead(upstream.seen[0]!), '')
})
