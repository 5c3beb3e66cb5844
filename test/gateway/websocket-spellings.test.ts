/** Handshakes in the spellings of chargers, Envoy and others, which RFC 6455 §4.2.1 allows. */
import t from 'tap'
import { findHandshakeFault } from '../../src/gateway/websocket-handshake.js'
import { serveGateway, soon } from '../support/gateway-process.js'
import { rawUpstream } from '../support/forwarding.js'
import { ASKS, KEY, agrees, client, isHead, open } from '../support/websocket-handshakes.js'
import { head } from '../support/wire.js'

const [CONNECTION, UPGRADE, KEY_LINE] = ASKS as [string, string, string]
const asks = (...lines: readonly string[]) =>
  head('GET /live HTTP/1.1', 'Host: x', ...lines, 'Sec-WebSocket-Version: 13')

const VALID: Record<string, string> = {
  'Content-Length: 0': asks(...ASKS, 'Content-Length: 0'),
  'a list of protocols': asks(CONNECTION, 'Upgrade: websocket, foo', KEY_LINE),
  'a list, in another order and case': asks(CONNECTION, 'Upgrade: foo/1 ,WebSocket', KEY_LINE),
  'a list with h2c': asks(CONNECTION, 'Upgrade: h2c, websocket', KEY_LINE),
  'two Upgrade headers': asks(CONNECTION, UPGRADE, 'Upgrade: h2c', KEY_LINE),
  'the same Upgrade header twice': asks(...ASKS, UPGRADE),
  'an empty Upgrade header beside': asks(CONNECTION, 'Upgrade: ', UPGRADE, KEY_LINE),
  'an empty Expect': asks(...ASKS, 'Expect: '),
  'a Connection list': asks('Connection: keep-alive, Upgrade', UPGRADE, KEY_LINE),
}
t.test('in each spelling, the tunnel opens, and the upstream gets the plain form', async (t) => {
  const upstream = await rawUpstream(t, agrees('from the upstream'))
  const port = await open(t, upstream.port)
  for (const [name, bytes] of Object.entries(VALID)) {
    const one = client(t, port, bytes)
    const text = await one.got('the data', (all) => all.endsWith('from the upstream'))
    t.match(text, /^HTTP\/1\.1 101 /, name)
    const seen = upstream.seen.at(-1)!.toLowerCase()
    t.strictSame(
      seen.match(/^(upgrade|connection|content-length|expect):.*$/gm),
      ['connection: upgrade', 'upgrade: websocket'],
      name,
    )
    one.socket.destroy()
  }
})

t.test('an empty Expect is no expectation of an ordinary request either', async (t) => {
  const upstream = await rawUpstream(t, (socket, seen) => {
    if (isHead(seen)) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  })
  const port = await open(t, upstream.port)
  const one = client(t, port, head('GET /x HTTP/1.1', 'Host: x', 'Expect: '))
  t.match(await one.got('the response', (text) => text.endsWith('ok')), /^HTTP\/1\.1 200 /)
  const other = client(t, port, head('GET /x HTTP/1.1', 'Host: x', 'Expect: magic'))
  t.match(await other.got('the response', isHead), /^HTTP\/1\.1 417 /)
})

t.test('each fault of a handshake has a name', async (t) => {
  const request = { method: 'GET', httpVersion: '1.1' }
  const [connection, upgrade, key] = [CONNECTION, UPGRADE, KEY_LINE].map((line) => line.split(': '))
  const good = [connection, upgrade, key].flat() as string[]
  const withHeader = (...more: string[]) => ({ ...request, rawHeaders: [...good, ...more] })
  t.equal(findHandshakeFault(withHeader()), undefined)
  for (const [fault, bad] of [
    ['content_length', withHeader('Content-Length', '1')],
    ['content_length', withHeader('Content-Length', '00')],
    ['content_length', withHeader('content-length', '0, 5')],
    ['transfer_encoding', withHeader('Transfer-Encoding', 'chunked')],
    ['expect', withHeader('Expect', '100-continue')],
    ['method', { ...withHeader(), method: 'PUT' }],
    ['http_version', { ...withHeader(), httpVersion: '1.0' }],
    ['key', withHeader('Sec-WebSocket-Key', KEY)],
    ['key', { ...request, rawHeaders: ['Upgrade', 'websocket'] }],
    ['key', { ...request, rawHeaders: ['Upgrade', 'websocket', 'Sec-WebSocket-Key', 'short'] }],
    ['upgrade', { ...request, rawHeaders: ['Upgrade', 'websocket/13, "websocket"', ...key!] }],
  ] as const)
    t.equal(findHandshakeFault(bad), fault, JSON.stringify(bad))
})

t.test('a handshake that is not taken is logged with the reason', async (t) => {
  const upstream = await rawUpstream(t, (socket, seen) => {
    if (isHead(seen)) socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n')
  })
  for (const [reason, bytes] of [
    ['content_length', asks(...ASKS, 'Content-Length: 1') + 'x'],
    // A proxy in front that doesn't forward the hop-by-hop headers.
    ['no_upgrade', asks('Connection: close', KEY_LINE)],
  ] as const) {
    const gateway = await serveGateway(t, {
      routes: [{ path: '/', upstream: `http://127.0.0.1:${upstream.port}`, auth: 'none' }],
    })
    const { got } = client(t, Number(new URL(gateway.url).port), bytes)
    t.match(await got('the response', isHead), /^HTTP\/1\.1 400 /, 'forwarded as an ordinary request')
    const records = () => gateway.records().filter(({ event }) => event === 'handshake_ignored')
    await soon('the handshake is logged', () => records().length > 0)
    t.match(records(), [{ level: 40, reason }])
  }
})

t.test('an ordinary request, and one for another protocol, is not logged', async (t) => {
  const upstream = await rawUpstream(t, (socket, seen) => {
    if (isHead(seen)) socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  })
  const gateway = await serveGateway(t, {
    routes: [{ path: '/', upstream: `http://127.0.0.1:${upstream.port}`, auth: 'none' }],
  })
  const port = Number(new URL(gateway.url).port)
  for (const lines of [[], [CONNECTION, 'Upgrade: h2c'], [CONNECTION, 'Upgrade: TLS/1.0']]) {
    const { got } = client(t, port, head('GET /x HTTP/1.1', 'Host: x', ...lines))
    await got('the response', (text) => text.endsWith('ok'))
  }
  await gateway.stop()
  t.notMatch(gateway.output(), /handshake_ignored/)
})
