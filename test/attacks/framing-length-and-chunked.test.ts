/** CL.TE and TE.CL: one message with both framings, of which each server believes another one (RFC 9112 §6.3). */
import t from 'tap'
import { SMUGGLED, attack, head, startWire } from '../support/wire.js'

const wire = await startWire(t)
const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`

/** A `POST /open` with these headers before this body. */
const post = (body: string, ...headers: string[]) => head('POST /open HTTP/1.1', 'Host: x', ...headers) + body

const PAYLOADS = {
  'CL.TE: the length hides a request behind the last chunk': post(
    `0\r\n\r\n${SMUGGLED}`,
    `Content-Length: ${5 + SMUGGLED.length}`,
    'Transfer-Encoding: chunked',
  ),
  'TE.CL: a chunk hides one behind the length': post(
    `${chunk(SMUGGLED)}0\r\n\r\n`,
    'Content-Length: 4',
    'Transfer-Encoding: chunked',
  ),
  'the coding first': post(`0\r\n\r\n${SMUGGLED}`, 'Transfer-Encoding: chunked', 'Content-Length: 6'),
  'a length of 0': post(`0\r\n\r\n${SMUGGLED}`, 'Content-Length: 0', 'Transfer-Encoding: chunked'),
  'other headers between them': post(
    `0\r\n\r\n${SMUGGLED}`,
    'Content-Length: 6',
    'X-Between: 1',
    'Transfer-Encoding: chunked',
  ),
  'the length named hop-by-hop': post(
    `0\r\n\r\n${SMUGGLED}`,
    'Connection: Content-Length',
    'Content-Length: 6',
    'Transfer-Encoding: chunked',
  ),
  'the coding named hop-by-hop': post(
    `0\r\n\r\n${SMUGGLED}`,
    'Connection: Transfer-Encoding',
    'Content-Length: 6',
    'Transfer-Encoding: chunked',
  ),
  'two lengths and a coding': post(
    `0\r\n\r\n${SMUGGLED}`,
    'Content-Length: 6',
    'Transfer-Encoding: chunked',
    'Content-Length: 5',
  ),
  'by a method that has no body': head(
    'GET /open HTTP/1.1',
    'Host: x',
    'Content-Length: 6',
    'Transfer-Encoding: chunked',
  ).concat(`0\r\n\r\n${SMUGGLED}`),
  'in HTTP/1.0': head(
    'POST /open HTTP/1.0',
    'Host: x',
    'Content-Length: 6',
    'Transfer-Encoding: chunked',
  ).concat(`0\r\n\r\n${SMUGGLED}`),
  'to one of our own routes': head(
    'POST /auth/login HTTP/1.1',
    'Host: x',
    'Content-Type: application/json',
    'Content-Length: 6',
    'Transfer-Encoding: chunked',
  ).concat(`0\r\n\r\n${SMUGGLED}`),
}

t.test('refused in any order, and the connection closed', async (t) => {
  const answers = await attack(t, wire, PAYLOADS)
  for (const [name, { statuses }] of Object.entries(answers)) t.strictSame(statuses, [400], name)
  t.strictSame(wire.upstream.requests, [], 'nothing of it was forwarded')
})

t.test('also on a kept connection after a good request', async (t) => {
  const good = head('GET /open/good HTTP/1.1', 'Host: x')
  const payloads = Object.entries(PAYLOADS).map(([name, bytes]) => [name, good + bytes])
  const answers = await attack(t, wire, Object.fromEntries(payloads))
  for (const [name, { statuses }] of Object.entries(answers)) {
    t.ok(statuses.length <= 2 && statuses.at(-1) === 400, `${name}: ${statuses.join()}`)
  }
  t.strictSame([...new Set(wire.upstream.requests.map(({ target }) => target))], ['/open/good'])
})

t.test('with either framing alone, the same bytes are one body', async (t) => {
  const body = `0\r\n\r\n${SMUGGLED}`
  const { sized, chunked } = await attack(t, wire, {
    sized: post(body, `Content-Length: ${body.length}`, 'Connection: close'),
    chunked: post(`${chunk(body)}0\r\n\r\n`, 'Transfer-Encoding: chunked', 'Connection: close'),
  })
  t.strictSame([sized?.statuses, chunked?.statuses], [[200], [200]])
  // A good one of before may be seen by the upstream only now.
  const posts = wire.upstream.requests.filter(({ target }) => target !== '/open/good')
  t.strictSame(
    posts.map((request) => request.body),
    [body, body],
  )
})
