/** Chunks whose sizes, extensions and trailers servers read differently (RFC 9112 §7.1). */
import t from 'tap'
import { SMUGGLED, attack, head, startWire } from '../support/wire.js'

const wire = await startWire(t)
const post = (body: string, ...headers: string[]) =>
  head('POST /open HTTP/1.1', 'Host: x', 'Transfer-Encoding: chunked', ...headers) + body
const show = (text: string) => JSON.stringify(text)

const SIZES = [
  '0x5',
  'x5',
  '+5',
  '-5',
  '-1',
  '5 5',
  ' 5',
  '\t5',
  '5\t',
  '5\x0b',
  '5\0',
  '5,',
  '5.0',
  '5g',
  'five',
  '',
  '"5"',
  '10000000000000005',
  'ffffffffffffffff5',
  '1ffffffffffffffff',
]

t.test('an invalid chunk size is refused', async (t) => {
  const payloads = SIZES.map((size) => [show(size), post(`${size}\r\nhello\r\n0\r\n\r\n${SMUGGLED}`)])
  const answers = await attack(t, wire, Object.fromEntries(payloads))
  for (const [name, { statuses }] of Object.entries(answers)) t.strictSame(statuses, [400], name)
  t.strictSame(wire.upstream.requests, [])
})

t.test('an announced chunk is waited for until the body timeout', async (t) => {
  const sizes = ['7fffffff', 'fffffffe', '7ffffffffffffff', '10001']
  const payloads = sizes.map((size) => [size, post(`${size}\r\n${'x'.repeat(1000)}`)])
  const answers = await attack(t, wire, Object.fromEntries(payloads))
  for (const [size, { statuses }] of Object.entries(answers)) {
    t.match(statuses[0], /^(400|408|413)$/, size)
  }
  t.strictSame(wire.upstream.requests, [])
})

t.test('chunk extensions are removed, because chunks are written again', async (t) => {
  const EXTENSIONS = ['5;a=b', '5;a="b;c"', '5;a', '05', '00000005', '5;;', '5;a=b;c=d']
  for (const size of EXTENSIONS) {
    const { requests } = wire.upstream
    const before = requests.length
    const answers = await attack(t, wire, {
      [size]: post(`${size}\r\nhello\r\n0;last=1\r\n\r\n`, 'Connection: close'),
    })
    const [status] = answers[size]!.statuses
    t.ok(status === 200 || status === 400, `${size}: ${status}`)
    if (status === 200) t.match(requests.at(-1), { body: 'hello' })
    else t.equal(requests.length, before)
    t.notMatch(requests.at(-1)?.bytes ?? '', /;a|last=1/)
  }
})

t.test('trailers are removed and set nothing', async (t) => {
  const trailers = [
    'X-Forwarded-User: root',
    'Authorization: Bearer x',
    'Content-Length: 100',
    'Transfer-Encoding: chunked',
    'Host: evil.example',
    'X-Trailer: 1',
  ]
  const body = `5\r\nhello\r\n0\r\n${trailers.join('\r\n')}\r\n\r\n${SMUGGLED}`
  const answers = await attack(t, wire, { trailers: post(body, 'Trailer: X-Forwarded-User, Content-Length') })
  t.match(answers['trailers']?.statuses, [/200|400/])
  const { bytes } = wire.upstream.requests.at(-1)!
  t.notMatch(bytes, /root|Bearer|evil|x-trailer|^trailer/im)
})

t.test('a body that ends within a chunk is incomplete for the upstream', async (t) => {
  wire.upstream.requests.length = 0
  const bodies = ['', '5\r\nhel', '5\r\nhello', '5\r\nhello\r\n', '5\r\nhello\r\n0', '5\r\nhello\r\n0\r\n']
  const payloads = bodies.map((body) => [show(body), post(body)])
  const answers = await attack(t, wire, Object.fromEntries(payloads))
  for (const [name, { statuses }] of Object.entries(answers)) t.strictSame(statuses, [408], name)
  t.strictSame(wire.upstream.requests, [])
})
