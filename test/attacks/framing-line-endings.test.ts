/**
 * Lines that end otherwise than by CR LF, which some servers take for an end of line and others for text (RFC 9112
 * §2.2).
 */
import t from 'tap'
import { SMUGGLED, attack, head, startWire } from '../support/wire.js'

const wire = await startWire(t)
const loose = SMUGGLED.replaceAll('\r\n', '\n')

const REFUSED = {
  'LF everywhere': `GET /open HTTP/1.1\nHost: x\n\n${SMUGGLED}`,
  'LF after the request line': `GET /open HTTP/1.1\nHost: x\r\n\r\n${SMUGGLED}`,
  'LF after a header': `GET /open HTTP/1.1\r\nHost: x\nX: y\r\n\r\n${SMUGGLED}`,
  'LF before the empty line': `GET /open HTTP/1.1\r\nHost: x\n\r\n${SMUGGLED}`,
  'LF as the empty line': `GET /open HTTP/1.1\r\nHost: x\r\n\n${SMUGGLED}`,
  'LF LF within a value': `GET /open HTTP/1.1\r\nHost: x\r\nX: y\n\n${loose}\r\n\r\n`,
  'CR everywhere': `GET /open HTTP/1.1\rHost: x\r\r${SMUGGLED}`,
  'CR after a header': `GET /open HTTP/1.1\r\nHost: x\rX: y\r\n\r\n${SMUGGLED}`,
  'CR CR within a value': `GET /open HTTP/1.1\r\nHost: x\r\nX: y\r\r${SMUGGLED}`,
  'CR CR LF': `GET /open HTTP/1.1\r\nHost: x\r\r\n\r\n${SMUGGLED}`,
  'CR in a name': `GET /open HTTP/1.1\r\nHost: x\r\nX\rY: z\r\n\r\n${SMUGGLED}`,
  'CR in the target': `GET /open\rx HTTP/1.1\r\nHost: x\r\n\r\n${SMUGGLED}`,
  'LF in the target': `GET /open\nx HTTP/1.1\r\nHost: x\r\n\r\n${SMUGGLED}`,
  'CR before the version': `GET /open\r HTTP/1.1\r\nHost: x\r\n\r\n${SMUGGLED}`,
  'CR LF CR and a letter for the empty line': `GET /open HTTP/1.1\r\nHost: x\r\n\rX: y\r\n\r\n${SMUGGLED}`,
  'a name that breaks off': `GET /open HTTP/1.1\r\nHost: x\r\nX\r\n\r\n${SMUGGLED}`,
  'LF after a chunk’s size': post(`5\nhello\r\n0\r\n\r\n${SMUGGLED}`),
  'CR after a chunk’s size': post(`5\rhello\r\n0\r\n\r\n${SMUGGLED}`),
  'LF after a chunk': post(`5\r\nhello\n0\r\n\r\n${SMUGGLED}`),
  'no line end after a chunk': post(`5\r\nhello0\r\n\r\n${SMUGGLED}`),
  'LF after the last chunk': post(`0\n\r\n${SMUGGLED}`),
  'LF as the end of the trailers': post(`0\r\n\n${SMUGGLED}`),
  'LF within a chunk extension': post(`5;\nab\r\nhello\r\n0\r\n\r\n${SMUGGLED}`),
  'CR within a chunk extension': post(`5;\rab\r\nhello\r\n0\r\n\r\n${SMUGGLED}`),
}

function post(body: string): string {
  return head('POST /open HTTP/1.1', 'Host: x', 'Transfer-Encoding: chunked') + body
}

t.test('refused, and nothing complete reaches the upstream', async (t) => {
  const answers = await attack(t, wire, REFUSED)
  for (const [name, { statuses, text }] of Object.entries(answers)) {
    t.strictSame(statuses, [400], name)
    t.notMatch(text, /HPE_|parse error/i, 'the parser’s words stay inside')
  }
  t.strictSame(wire.upstream.requests, [])
})

t.test('empty lines before a request are skipped', async (t) => {
  const bytes = '\r\n\r\n' + head('GET /open/after HTTP/1.1', 'Host: x', 'Connection: close')
  const answers = await attack(t, wire, { bytes })
  t.strictSame(answers['bytes']?.statuses, [200])
  t.strictSame(
    wire.upstream.requests.map(({ target }) => target),
    ['/open/after'],
  )
})

t.test('CR and LF within a body stay', async (t) => {
  const body = 'a\nb\rc\r\nGET /guarded/smuggled HTTP/1.1\n\n'
  const bytes = head('POST /open HTTP/1.1', 'Host: x', `Content-Length: ${body.length}`, 'Connection: close')
  await attack(t, wire, { bytes: bytes + body })
  t.equal(wire.upstream.requests.at(-1)!.body, body)
})
