/** Content-Length in ways that servers read differently (RFC 9110 §8.6, RFC 9112 §6.3). */
import t from 'tap'
import { SMUGGLED, attack, head, startWire, valuesOf } from '../support/wire.js'

const wire = await startWire(t)

const LENGTHS = [
  'Content-Length: 5\r\nContent-Length: 6',
  'Content-Length: 6\r\nContent-Length: 5',
  'Content-Length: 5\r\nContent-Length: 5',
  'Content-Length: 5\r\nX-Between: 1\r\ncontent-length: 0',
  'Content-Length: 5, 6',
  'Content-Length: 5, 5',
  'Content-Length: 5,',
  'Content-Length: +5',
  'Content-Length: -5',
  'Content-Length: -0',
  'Content-Length: 0x5',
  'Content-Length: 5e0',
  'Content-Length: 5.0',
  'Content-Length: 5 5',
  'Content-Length: 5\x0b',
  'Content-Length: \xa05',
  'Content-Length: 5\0',
  'Content-Length: 5;',
  'Content-Length: "5"',
  'Content-Length:',
  'Content-Length: \t ',
  'Content-Length: five',
  'Content-Length: 18446744073709551621',
  'Content-Length: 4294967296000000000000000000000000000005',
  'Content-Length : 5',
  ' Content-Length: 5',
  'Content-Length: 5\r\n 6',
  'Content-Length:\r\n 5',
  'X: y\r Content-Length: 5',
]

t.test('refused, and nothing reaches the upstream', async (t) => {
  const payloads = LENGTHS.map((length) => [
    JSON.stringify(length),
    head('POST /open HTTP/1.1', 'Host: x', length) + `hello${SMUGGLED}`,
  ])
  const answers = await attack(t, wire, Object.fromEntries(payloads))
  for (const [name, { statuses }] of Object.entries(answers)) t.strictSame(statuses, [400], name)
  t.strictSame(wire.upstream.requests, [])
})

t.test('leading zeros are valid and are removed', async (t) => {
  const answers = await attack(t, wire, {
    zeros: head('POST /open HTTP/1.1', 'Host: x', 'Content-Length: 0005') + `hello${SMUGGLED}`,
  })
  t.strictSame(answers['zeros']?.statuses, [200, 401])
  const received = wire.upstream.requests.at(-1)!
  t.equal(received.body, 'hello')
  t.strictSame(valuesOf(received, 'content-length'), ['5'])
})

t.test('a short body takes no bytes of another connection', async (t) => {
  wire.upstream.requests.length = 0
  const [short] = await Promise.all([
    wire.send(head('POST /open/short HTTP/1.1', 'Host: x', 'Content-Length: 500') + 'GET /guarded HTTP/1.1'),
    wire.send(head('GET /open/other HTTP/1.1', 'Host: x', 'Connection: close')),
  ])
  t.strictSame(short.statuses, [408])
  t.strictSame(
    wire.upstream.requests.map(({ target }) => target),
    ['/open/other'],
  )
  t.strictSame(wire.upstream.faults, [])
})
