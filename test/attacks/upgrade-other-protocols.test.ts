/**
 * h2c smuggling (Bishop Fox, 2020) and its kin: an upgrade that a proxy passes on without knowing the protocol is a
 * tunnel past all its rules. Any but a WebSocket handshake is answered as if it asked for none. Of a list of protocols,
 * only `websocket` is passed on (see test/gateway/websocket-spellings.test.ts).
 */
import t from 'tap'
import { ASKS, client, handshake } from '../support/websocket-handshakes.js'
import { SMUGGLED, attack, head, startWire, valuesOf } from '../support/wire.js'

const H2C = [
  'Connection: Upgrade, HTTP2-Settings',
  'Upgrade: h2c',
  'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA',
]
const CLOSE = ['Host: x', 'Connection: close']
const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
const get = (...lines: readonly string[]) => head('GET /open HTTP/1.1', 'Host: x', ...lines)
const last = head('GET /open/last HTTP/1.1', ...CLOSE)

t.test('no upgrade except WebSocket is passed on', async (t) => {
  const wire = await startWire(t)
  const post = (...lines: readonly string[]) => head('POST /open HTTP/1.1', 'Host: x', ...lines)
  const asks = (upgrade: string) => get(ASKS[0]!, upgrade, ASKS[2]!)
  const payloads = {
    h2c: get(...H2C),
    'h2c, Connection: Upgrade alone': get('Connection: Upgrade', ...H2C.slice(1)),
    'TLS/1.0': asks('Upgrade: TLS/1.0'),
    'a list without WebSocket': asks('Upgrade: h2c, TLS/1.0'),
    'two headers without WebSocket': get(ASKS[0]!, 'Upgrade: TLS/1.0', 'Upgrade: h2c', ASKS[2]!),
    'a version': asks('Upgrade: websocket/13'),
    nothing: asks('Upgrade: '),
    quoted: asks('Upgrade: "websocket"'),
    'no key': get(...ASKS.slice(0, 2)),
    'two keys': get(...ASKS, ASKS[2]!),
    'a key that is none': get(...ASKS.slice(0, 2), 'Sec-WebSocket-Key: x'),
    'no Upgrade': get('Connection: Upgrade', ASKS[2]!),
    'no Connection': get(...ASKS.slice(1)),
    'another method': post(...ASKS),
    'HTTP/1.0': get(...ASKS, 'Connection: keep-alive').replace('HTTP/1.1', 'HTTP/1.0'),
  }
  const answers = await attack(
    t,
    wire,
    Object.fromEntries(Object.entries(payloads).map(([name, bytes]) => [name, bytes + last])),
  )
  for (const [name, { text, statuses }] of Object.entries(answers)) {
    t.strictSame(statuses, [200, 200], `${name}: both are ordinary requests`)
    t.notMatch(text, /101 Switching|\r\nUpgrade:/i, name)
  }
  t.equal(wire.upstream.requests.length, 2 * Object.keys(payloads).length)
  for (const request of wire.upstream.requests) {
    const hop = [...valuesOf(request, 'upgrade'), ...valuesOf(request, 'http2-settings')]
    t.strictSame([hop, valuesOf(request, 'connection')], [[], ['keep-alive']])
  }
})

t.test('a body belongs to its request, and what follows is checked', async (t) => {
  const wire = await startWire(t)
  const body = 'GET /guarded/in-the-body HTTP/1.1\r\nHost: x\r\n\r\n'
  const sized = (first: string, ...lines: readonly string[]) =>
    head(first, 'Host: x', ...lines, `Content-Length: ${body.length}`) + body
  const chunked = (first: string, ...lines: readonly string[]) =>
    head(first, 'Host: x', ...lines, 'Transfer-Encoding: chunked') +
    `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`
  const payloads: Record<string, string> = {}
  for (const asks of [ASKS, H2C]) {
    for (const method of ['GET', 'POST']) {
      const first = `${method} /open HTTP/1.1`
      payloads[`${method}, ${asks[1]}, sized`] = sized(first, ...asks) + SMUGGLED
      payloads[`${method}, ${asks[1]}, chunked`] = chunked(first, ...asks) + SMUGGLED
    }
  }
  const answers = await attack(t, wire, payloads)
  for (const [name, { statuses }] of Object.entries(answers)) t.strictSame(statuses, [200, 401], name)
  t.ok(wire.upstream.requests.every((request) => request.body === body))
})

t.test('a client with Expect: 100-continue gets no tunnel', async (t) => {
  const wire = await startWire(t)
  const bytes = head('POST /open HTTP/1.1', 'Host: x', ...H2C, 'Expect: 100-continue', 'Content-Length: 4')
  const answers = await attack(t, wire, {
    'a handshake': get(...ASKS, 'Expect: 100-continue'),
    h2c: bytes + 'body' + last,
  })
  t.strictSame(answers['a handshake']!.statuses, [200])
  t.strictSame(answers['h2c']!.statuses, [100, 200, 200])
})

t.test('ambiguous framing stays refused', async (t) => {
  const wire = await startWire(t)
  const both = ['Content-Length: 4', 'Transfer-Encoding: chunked']
  const answers = await attack(t, wire, {
    'both framings': get(...ASKS, ...both) + '0\r\n\r\n' + SMUGGLED,
    'both, h2c': get(...H2C, ...both) + '0\r\n\r\n' + SMUGGLED,
    'two lengths': get(...H2C, 'Content-Length: 4', 'Content-Length: 5') + 'abcd' + SMUGGLED,
    'a coding before chunked': get(...H2C, 'Transfer-Encoding: gzip, chunked') + '0\r\n\r\n' + SMUGGLED,
  })
  for (const [name, { statuses }] of Object.entries(answers)) t.match(statuses[0], 400, name)
  t.equal(wire.upstream.requests.length, 0)
})

t.test('HTTP/2 is not spoken, with prior knowledge or by upgrade', async (t) => {
  const wire = await startWire(t)
  const answers = await attack(t, wire, {
    'prior knowledge': PREFACE,
    'the preface behind h2c': get(...H2C) + PREFACE,
    'the preface behind a refused handshake': handshake().replace('/live', '/guarded') + PREFACE,
  })
  t.strictSame(
    Object.values(answers).map(({ statuses }) => statuses.join()),
    ['400', '400', '401'],
  )
})

t.test('many attempts on one connection leave nothing behind', async (t) => {
  const wire = await startWire(t)
  const warnings: Error[] = []
  const onWarning = (warning: Error) => void warnings.push(warning)
  process.on('warning', onWarning)
  t.teardown(() => process.off('warning', onWarning))
  const { statuses } = await wire.send(get(...H2C) + last)
  t.strictSame(statuses, [200, 200])
  // One after the other: each is read anew.
  const one = client(t, wire.port)
  for (let n = 1; n <= 30; n += 1) {
    one.socket.write(get(...H2C))
    await one.got(`answer ${n}`, (text) => text.split('HTTP/1.1 200').length === n + 1 && text.endsWith('ok'))
  }
  t.strictSame(warnings, [], 'no listener is left behind')
})
