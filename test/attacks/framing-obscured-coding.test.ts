/** TE.TE: a `Transfer-Encoding` that one server recognises and another one overlooks. */
import t from 'tap'
import { SMUGGLED, attack, head, startWire } from '../support/wire.js'

const wire = await startWire(t)

const CODINGS = [
  'Transfer-Encoding: xchunked',
  'Transfer-Encoding: x',
  'Transfer-Encoding: identity',
  'Transfer-Encoding: gzip',
  'Transfer-Encoding: chunked, identity',
  'Transfer-Encoding: identity, chunked',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding: chunked, chunked',
  'Transfer-Encoding: chunked;q=1',
  'Transfer-Encoding: "chunked"',
  'Transfer-Encoding: ,chunked',
  'Transfer-Encoding: chunked,',
  'Transfer-Encoding: chun ked',
  'Transfer-Encoding: chunked\0',
  'Transfer-Encoding: \x0bchunked',
  'Transfer-Encoding: chunked\x0b',
  'Transfer-Encoding: \xa0chunked',
  'Transfer-Encoding:',
  'Transfer-Encoding : chunked',
  'Transfer-Encoding\t: chunked',
  ' Transfer-Encoding: chunked',
  '\tTransfer-Encoding: chunked',
  'Transfer-Encoding:\n chunked',
  'Transfer-Encoding:\r\n chunked',
  'X: y\nTransfer-Encoding: chunked',
  'X: y\rTransfer-Encoding: chunked',
  'X: y\r\n\tTransfer-Encoding: chunked',
  'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked',
  'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity',
  'Transfer-Encoding: identity\r\nTransfer-Encoding: chunked',
  'Transfer-Encoding: chunked\r\ntransfer-encoding: x',
  'Transfer\0-Encoding: chunked',
  'Transfer-Encoding\0: chunked',
]
const show = (text: string) => JSON.stringify(text)

t.test('refused, alone and beside a length', async (t) => {
  for (const length of ['', 'Content-Length: 6\r\n']) {
    const payloads = CODINGS.map((coding) => [
      show(length + coding),
      head('POST /open HTTP/1.1', 'Host: x', length + coding) + `0\r\n\r\n${SMUGGLED}`,
    ])
    const answers = await attack(t, wire, Object.fromEntries(payloads))
    for (const [name, { statuses }] of Object.entries(answers)) {
      const [first, ...others] = statuses
      t.ok(first === 400 && others.every((status) => status >= 400), `${name}: ${statuses.join()}`)
    }
  }
  t.strictSame(wire.upstream.requests, [], 'nothing of it was forwarded')
})

t.test('header names that some servers confuse with it are not passed on and frame nothing', async (t) => {
  const names = [
    'Transfer_Encoding',
    'Transfer.Encoding',
    'transfer_Encoding',
    'Content_Length',
    'Content.Length',
  ]
  for (const name of names) {
    const value = /length/i.test(name) ? '6' : 'chunked'
    const bytes =
      head('POST /open HTTP/1.1', 'Host: x', `${name}: ${value}`, 'Content-Length: 5') +
      `0\r\n\r\n${SMUGGLED}`
    const answers = await attack(t, wire, { [name]: bytes })
    t.strictSame(answers[name]?.statuses, [200, 401], `${name}: the length alone decides`)
    const { headers, body } = wire.upstream.requests.at(-1)!
    t.equal(body, '0\r\n\r\n')
    t.notMatch(headers.map(([one]) => one).join(), /[_.]/)
  }
})

t.test('letter case and outer blanks are allowed (RFC 9110 §5.5)', async (t) => {
  for (const coding of ['CHUNKED', 'Chunked', ' \tchunked', '']) {
    const name = coding === '' ? 'TRANSFER-ENCODING: chunked' : `Transfer-Encoding:${coding}`
    const bytes = head('POST /open HTTP/1.1', 'Host: x', name) + `2\r\nhi\r\n0\r\n\r\n${SMUGGLED}`
    const answers = await attack(t, wire, { [name]: bytes })
    t.strictSame(answers[name]?.statuses, [200, 401], show(name))
    t.equal(wire.upstream.requests.at(-1)!.body, 'hi')
  }
})
