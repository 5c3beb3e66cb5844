/**
 * An upgrade to HTTP/2 in clear text, with which a proxy that passes it on gives the connection away (RFC 9113 §3.1).
 */
import t from 'tap'
import { logIn } from '../support/gateway-process.js'
import { SMUGGLED, attack, head, startWire } from '../support/wire.js'

const wire = await startWire(t)
const H2C = [
  'Connection: Upgrade, HTTP2-Settings',
  'Upgrade: h2c',
  'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA',
]
const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0'

const VARIANTS: Record<string, string[]> = {
  'as written': H2C,
  'by Upgrade alone': ['Connection: Upgrade', 'Upgrade: h2c'],
  'without Connection': ['Upgrade: h2c', H2C[2]!],
  'in another case': ['CONNECTION: upgrade', 'UPGRADE: H2C', H2C[2]!],
  'one of several': ['Connection: keep-alive, Upgrade', 'Upgrade: websocket, h2c'],
  'over TLS, it says': ['Connection: Upgrade', 'Upgrade: h2'],
  'something else': ['Connection: Upgrade', 'Upgrade: TLS/1.0'],
}

t.test('never passed on, and nothing after it reaches the upstream', async (t) => {
  const { access_token: token } = await logIn(wire.url)
  const payloads: Record<string, string> = {}
  for (const lines of [['Host: x'], ['Host: x', `Authorization: Bearer ${token}`]]) {
    for (const path of ['/open', '/mine']) {
      for (const [name, headers] of Object.entries(VARIANTS)) {
        const what = `${path}, ${lines.length === 1 ? 'no token' : 'a token'}, ${name}`
        payloads[what] = head(`GET ${path} HTTP/1.1`, ...lines, ...headers) + PREFACE + SMUGGLED
      }
    }
  }
  const answers = await attack(t, wire, payloads)
  for (const [name, { text }] of Object.entries(answers)) {
    t.notMatch(text, /^HTTP\/1\.1 101/m, name)
    t.notMatch(text, /\0\0/, 'no frames come back')
  }
  for (const { bytes } of wire.upstream.requests) t.notMatch(bytes, /upgrade|http2-settings|\bh2c\b|\bPRI\b/i)
})

t.test('with a body, too', async (t) => {
  // The upstream of the test before may still receive requests whose clients have left.
  const other = await startWire(t)
  const bytes = head('POST /open HTTP/1.1', 'Host: x', ...H2C, 'Content-Length: 5') + 'hello' + SMUGGLED
  await attack(t, other, { bytes })
  t.equal(other.upstream.requests.length, 1)
  for (const request of other.upstream.requests) {
    t.equal(request.body, 'hello')
    t.notMatch(request.bytes, /upgrade|http2-settings|\bh2c\b/i)
  }
})
