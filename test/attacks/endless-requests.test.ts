/** Requests without an end: heads, header lists and bodies that go on for as long as somebody reads them. */
import net from 'node:net'
import t from 'tap'
import type { Test } from 'tap'
import { until } from '../support/forwarding.js'
import { LOW_LIMITS, head, startWire } from '../support/wire.js'

const wire = await startWire(t, { limits: { ...LOW_LIMITS, body: '1kb' } })

/** Writes a piece of `more` after another until the gateway closes; gives what came back. */
async function pour(t: Test, first: string, more: string): Promise<string> {
  const socket = net.connect(wire.port, '127.0.0.1')
  t.teardown(() => socket.destroy())
  let text = ''
  socket.on('data', (chunk) => (text += chunk.toString('latin1')))
  socket.on('error', () => {})
  socket.write(first)
  const pouring = setInterval(() => socket.writableNeedDrain || socket.write(more), 5)
  t.teardown(() => clearInterval(pouring))
  await until('the connection is closed', () => socket.closed)
  clearInterval(pouring)
  return text
}

const line = 'x'.repeat(1000)
const START = 'HTTP/1.1\r\nHost: x\r\n'
/** Which limit is met first depends on how fast the client is. */
const LIMITED = /^HTTP\/1\.1 (400|408|413|431) /
const CASES: Record<string, [first: string, more: string, answer?: RegExp]> = {
  'a target': ['GET /open/', line],
  'a method': ['GET', 'T'.repeat(1000)],
  'a header’s name': [`GET /open ${START}X-`, line],
  'a header’s value': [`GET /open ${START}X: `, line],
  'a list of headers': [`GET /open ${START}`, 'x-a: b\r\n'.repeat(100)],
  'a list of empty headers': [`GET /open ${START}`, 'x:\r\n'.repeat(100)],
  'a folded header': [`GET /open ${START}X: y\r\n`, ` ${line}\r\n`],
  'empty lines before a request': ['', '\r\n'.repeat(500), /^(HTTP\/1\.1 (400|408|431) |$)/],
  'one chunk': [`POST /open ${START}Transfer-Encoding: chunked\r\n\r\nffffff\r\n`, line],
  'chunk after chunk': [`POST /open ${START}Transfer-Encoding: chunked\r\n\r\n`, `3e8\r\n${line}\r\n`],
  'chunks of one byte': [`POST /open ${START}Transfer-Encoding: chunked\r\n\r\n`, '1\r\nx\r\n'.repeat(200)],
  'a chunk’s extension': [`POST /open ${START}Transfer-Encoding: chunked\r\n\r\n5;`, 'a=b;'.repeat(250)],
  'many chunks’ extensions': [
    `POST /open ${START}Transfer-Encoding: chunked\r\n\r\n`,
    `1;${line.slice(0, 100)}\r\nx\r\n`.repeat(10),
  ],
  'a list of trailers': [
    `POST /open ${START}Transfer-Encoding: chunked\r\n\r\n0\r\n`,
    'x-a: b\r\n'.repeat(100),
  ],
  'a body of a known length': [`POST /open ${START}Content-Length: 99999999999\r\n\r\n`, line],
  'a body to one of our own routes': [
    `POST /auth/login ${START}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`,
    `3e8\r\n${line}\r\n`,
  ],
  'a body that nobody is let in with': [
    `POST /guarded ${START}Transfer-Encoding: chunked\r\n\r\n`,
    `3e8\r\n${line}\r\n`,
    /^HTTP\/1\.1 401 /,
  ],
}

t.test('each is answered and disconnected', async (t) => {
  const answers = await Promise.all(
    Object.entries(CASES).map(async ([name, [first, more, answer = LIMITED]]) => {
      return { name, answer, text: await pour(t, first, more) }
    }),
  )
  for (const { name, answer, text } of answers) t.match(text, answer, name)
  t.strictSame(wire.upstream.requests, [])
  t.strictSame(wire.upstream.faults, [])
})

t.test('afterwards everybody else is served as before', async (t) => {
  const { statuses } = await wire.send(head('GET /open/after HTTP/1.1', 'Host: x', 'Connection: close'))
  t.strictSame(statuses, [200])
})
