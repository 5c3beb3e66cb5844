/** What advisories told of the HTTP parser and server of Node.js, tried on this gateway: it stands on them. */
import net from 'node:net'
import t from 'tap'
import { until } from '../support/forwarding.js'
import { SMUGGLED, attack, head, send, startWire } from '../support/wire.js'

const wire = await startWire(t)
const { upstream } = wire
const post = (body: string, ...lines: string[]) => head('POST /open HTTP/1.1', 'Host: x', ...lines) + body
const chunked = `0\r\n\r\n${SMUGGLED}`

/** What each advisory is of → the bytes that were read wrongly. All of them are refused now, as the first request. */
const REFUSED: Record<string, string[]> = {
  'CVE-2016-2086: a length and a coding in one message, and characters that no header may hold': [
    post(chunked, 'Content-Length: 5', 'Transfer-Encoding: chunked'),
    post(chunked, 'X: a\x01b'),
  ],
  'CVE-2018-7159: blanks within Content-Length were overlooked': [
    post(`hello${SMUGGLED}`, 'Content-Length: 1 2'),
    post(`hello${SMUGGLED}`, 'Content-Length: 5 5'),
  ],
  'CVE-2019-15605: a malformed Transfer-Encoding was passed over': [
    post(chunked, 'Transfer-Encoding: chunked\x0b', 'Content-Length: 5'),
    post(chunked, 'Transfer-Encoding: xchunked', 'Content-Length: 5'),
    post(chunked, 'Transfer-Encoding: chunked, x', 'Content-Length: 5'),
  ],
  'CVE-2020-8201: CR in a header’s name became a hyphen': [
    post(chunked, 'Transfer\rEncoding: chunked'),
    post(`hello${SMUGGLED}`, 'Content\rLength: 5'),
  ],
  'CVE-2020-8287: of two Transfer-Encoding headers the second one was overlooked': [
    post(chunked, 'Transfer-Encoding: chunked', 'Transfer-Encoding: chunked-false'),
    post(chunked, 'Transfer-Encoding: chunked', 'Transfer-Encoding: identity'),
  ],
  'CVE-2021-22959: a blank between name and colon was accepted': [
    post(`hello${SMUGGLED}`, 'Content-Length : 5'),
    post(chunked, 'Transfer-Encoding : chunked'),
  ],
  'CVE-2021-22960: chunk extensions were skipped, whatever they held': [
    post(`5;\x00\r\nhello\r\n${chunked}`, 'Transfer-Encoding: chunked'),
    post(`5;\n\r\nhello\r\n${chunked}`, 'Transfer-Encoding: chunked'),
    post(`5 \nx\r\nhello\r\n${chunked}`, 'Transfer-Encoding: chunked'),
  ],
  'CVE-2022-32213: “chunked” with something before it was taken for another coding': [
    post(chunked, 'Transfer-Encoding: chunkedchunked'),
    post(chunked, 'Transfer-Encoding: \x0bchunked'),
    post(chunked, 'Transfer-Encoding: x chunked'),
  ],
  'CVE-2022-32214: a line ended where there was no CR LF': [
    `GET /open HTTP/1.1\r\nHost: x\r\nX:\nTransfer-Encoding: chunked\r\n\r\n${chunked}`,
    `GET /open HTTP/1.1\nHost: x\n\n${SMUGGLED}`,
  ],
  'CVE-2022-32215: Transfer-Encoding over several lines': [
    post(chunked, 'Transfer-Encoding: chunked\r\n , identity'),
    post(chunked, 'Transfer-Encoding:\r\n chunked'),
    post(chunked, 'Transfer-Encoding: chunked,\r\n identity'),
  ],
  'CVE-2022-35256: a header that CR LF did not end': [
    `GET /open HTTP/1.1\r\nHost: x\r\nX: y\rTransfer-Encoding: chunked\r\n\r\n${chunked}`,
    `GET /open HTTP/1.1\r\nHost: x\r\nX: y\r\rGET /guarded HTTP/1.1\r\nHost: x\r\n\r\n`,
  ],
  'CVE-2023-30589: CR alone ended a header': [
    `GET /open HTTP/1.1\r\nHost: x\r\nX: y\rContent-Length: 5\r\n\r\n${SMUGGLED}`,
    `POST /open HTTP/1.1\r\nHost: x\rContent-Length: 5\r\n\r\nhello${SMUGGLED}`,
  ],
  'CVE-2024-27982: a Content-Length with a blank before it was no header': [
    post(`hello${SMUGGLED}`, ' Content-Length: 5'),
    head('POST /open HTTP/1.1', ' Content-Length: 5', 'Host: x') + `hello${SMUGGLED}`,
    post(`hello${SMUGGLED}`, 'X: y', '\tContent-Length: 5'),
  ],
  'CVE-2025-23167: CR LF CR and any letter ended the head': [
    `GET /open HTTP/1.1\r\nHost: x\r\n\rX${SMUGGLED}`,
    `GET /open HTTP/1.1\r\nHost: x\r\n\rGET /guarded HTTP/1.1\r\nHost: x\r\n\r\n`,
  ],
}

for (const [advisory, payloads] of Object.entries(REFUSED)) {
  t.test(advisory, async (t) => {
    upstream.requests.length = 0
    const answers = await attack(
      t,
      wire,
      Object.fromEntries(payloads.map((bytes) => [JSON.stringify(bytes), bytes])),
    )
    for (const [bytes, { statuses }] of Object.entries(answers)) t.strictSame(statuses, [400], bytes)
    t.strictSame(upstream.requests, [])
  })
}

t.test('CVE-2019-15606: trailing blanks of a value stayed, so comparisons failed', async (t) => {
  const lines = ['X-Kept: value \t ', 'Connection: close \t']
  await attack(t, wire, { blanks: head('GET /open HTTP/1.1', 'Host: x \t', ...lines) })
  const { headers } = upstream.requests.at(-1)!
  t.strictSame(
    headers
      .filter(([name]) => /^(host|x-kept)$/i.test(name))
      .map(([, value]) => value)
      .toSorted(),
    ['value', 'x'],
  )
})

t.test('CVE-2018-12116: characters beyond Latin-1 in a path were truncated, also to CR and LF', async (t) => {
  upstream.requests.length = 0
  for (const path of ['/open/\u010d\u010aGET', '/open/\u560d\u560a', '/open/%c4%8d%c4%8aGET']) {
    const bytes = Buffer.from(head(`GET ${path} HTTP/1.1`, 'Host: x', 'Connection: close')).toString('latin1')
    const { statuses } = await wire.send(bytes)
    t.strictSame(statuses, [path.includes('%') ? 200 : 400], path)
  }
  t.strictSame(
    upstream.requests.map(({ target }) => target),
    ['/open/%c4%8d%c4%8aGET'],
  )
})

t.test('CVE-2018-12121: many connections with large incomplete heads used up the memory', async (t) => {
  const sockets = Array.from({ length: 200 }, () => net.connect(wire.port, '127.0.0.1').on('error', () => {}))
  t.teardown(() => sockets.forEach((socket) => socket.destroy()))
  for (const socket of sockets)
    socket.resume().write(`GET /open HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(7500)}`)
  await until('they are closed', () => sockets.every((socket) => socket.closed))
  const { statuses } = await wire.send(head('GET /open HTTP/1.1', 'Host: x', 'Connection: close'))
  t.strictSame(statuses, [200])
})

for (const [advisory, before] of [
  ['CVE-2018-12122: a head that came byte by byte held its connection', ''],
  [
    'CVE-2019-5737: the same as the second request of a kept connection',
    head('GET /open HTTP/1.1', 'Host: x'),
  ],
  [
    'CVE-2020-8251: a request that was never finished held its connection',
    'POST /open HTTP/1.1\r\nHost: x\r\n',
  ],
] as const) {
  t.test(advisory, async (t) => {
    const socket = net.connect(wire.port, '127.0.0.1').on('error', () => {})
    let text = ''
    socket.on('data', (chunk) => (text += chunk.toString())).write(`${before}X`)
    const dripping = setInterval(() => socket.write('x'), 50)
    t.teardown(() => clearInterval(dripping))
    t.teardown(() => socket.destroy())
    await until('it is cut', () => socket.closed)
    t.match(text, /HTTP\/1\.1 40[08] /)
  })
}

t.test('CVE-2024-22019: a chunk extension without an end was read without a limit', async (t) => {
  const bytes = post(
    `1;${'a'.repeat(100_000)}\r\nx\r\n0\r\n\r\n`,
    'Transfer-Encoding: chunked',
    'Connection: close',
  )
  const { statuses } = await wire.send(bytes)
  t.match(statuses.join(), /^(400|413)$/)
})

t.test('CVE-2026-21710: a header named __proto__ threw', async (t) => {
  upstream.requests.length = 0
  const lines = [
    '__proto__: x',
    'constructor: y',
    'toString: z',
    'hasOwnProperty: 1',
    '__PROTO__: 2',
    '__proto__: 3',
  ]
  for (const path of ['/open', '/guarded', '/auth/me', '/healthz']) {
    const { statuses } = await wire.send(
      head(`GET ${path} HTTP/1.1`, 'Host: x', ...lines, 'Connection: close'),
    )
    t.match(statuses.join(), /^(200|401)$/, path)
  }
  t.match(upstream.requests[0]?.bytes, /__proto__: x/, 'for the upstream it is a header like others')
})

t.test('CVE-2015-8027: pipelined requests continued after their parser was gone', async (t) => {
  const many = head('GET /open HTTP/1.1', 'Host: x').repeat(90)
  for (const end of ['\0', 'GET', '']) {
    const socket = net.connect(wire.port, '127.0.0.1').on('error', () => {})
    socket.resume().write(many + end)
    await until('some are read', () => upstream.requests.length > 0)
    socket.destroy()
    upstream.requests.length = 0
  }
  const { statuses } = await send(wire.port, head('GET /open HTTP/1.1', 'Host: x', 'Connection: close'))
  t.strictSame(statuses, [200])
})
