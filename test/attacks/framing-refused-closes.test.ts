/** A request refused for its framing or its Host says by `Connection: close` that nothing after it is read. */
import t from 'tap'
import { SMUGGLED, attack, head, startWire } from '../support/wire.js'

const wire = await startWire(t)
const chunked = `0\r\n\r\n${SMUGGLED}`

const PAYLOADS = {
  'identity, chunked':
    head('POST /open HTTP/1.1', 'Host: x', 'Transfer-Encoding: identity, chunked') + chunked,
  'gzip, chunked': head('POST /open HTTP/1.1', 'Host: x', 'Transfer-Encoding: gzip, chunked') + chunked,
  ',chunked': head('POST /open HTTP/1.1', 'Host: x', 'Transfer-Encoding: ,chunked') + chunked,
  'two codings':
    head('POST /open HTTP/1.1', 'Host: x', 'Transfer-Encoding: identity', 'Transfer-Encoding: chunked') +
    chunked,
  'a Host with a path': head('GET /open HTTP/1.1', 'Host: x/y') + SMUGGLED,
  'a Host with a user': head('GET /open HTTP/1.1', 'Host: a@b') + SMUGGLED,
}

t.test('closed after the refusal', async (t) => {
  const answers = await attack(t, wire, PAYLOADS)
  for (const [name, { statuses, text }] of Object.entries(answers)) {
    t.strictSame(statuses, [400], name)
    t.match(text, /^connection: close\r$/im, name)
  }
})

t.test('also on a guarded route: framing is checked before the token', async (t) => {
  const guarded = Object.entries(PAYLOADS).map(([name, bytes]) => [name, bytes.replace('/open', '/guarded')])
  const answers = await attack(t, wire, Object.fromEntries(guarded))
  for (const [name, { statuses }] of Object.entries(answers)) t.equal(statuses.length, 1, name)
})

t.test('a body that never came: 408, and the connection closed at once (RFC 9110 §15.5.9)', async (t) => {
  const bytes = head('POST /open HTTP/1.1', 'Host: x', 'Content-Length: 500') + 'x'
  const { statuses, text } = await wire.send(bytes)
  t.strictSame(statuses, [408])
  t.match(text, /^connection: close\r$/im)
})
