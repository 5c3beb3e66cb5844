import t from 'tap'
import { ResponseParser } from '../../src/gateway/http1-client/response-parser.js'
import { UpstreamError } from '../../src/gateway/http1-client/upstream-error.js'
import { read } from '../support/raw-responses.js'
import type { Read } from '../support/raw-responses.js'

const OK = 'HTTP/1.1 200 OK\r\n'

const good: Record<string, [text: string, expected: Partial<Read>, options?: Parameters<typeof read>[1]]> = {
  'a length': [`${OK}Content-Length: 2\r\n\r\nok`, { body: 'ok', isReusable: true }],
  'a length of 0': [`${OK}content-length: 0\r\n\r\n`, { body: '', isReusable: true }],
  'a length, and to be closed': [
    `${OK}Content-Length: 2\r\nConnection: x, Close\r\n\r\nok`,
    { body: 'ok', isReusable: false },
  ],
  chunks: [
    `${OK}Transfer-Encoding: Chunked\r\n\r\n2;a=b;c;d="e;\\"f"\r\nok\r\n0A\r\n0123456789\r\n0\r\n\r\n`,
    { body: 'ok0123456789', isReusable: true },
  ],
  'chunks and trailers': [
    `${OK}Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n000\r\nX-Sum:  a \r\nY:\r\n\r\n`,
    { body: 'x', trailers: ['X-Sum', 'a', 'Y', ''], isReusable: true },
  ],
  'until the connection ends': [`${OK}\r\nok`, { body: 'ok', isReusable: false }, { ends: true }],
  'HTTP/1.0': ['HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok', { body: 'ok', isReusable: false }],
  'HTTP/1.0, kept': [
    'HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nok',
    { body: 'ok', isReusable: true },
  ],
  'HTTP/1.0, kept and closed': [
    'HTTP/1.0 200 OK\r\nConnection: close\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok',
    { body: 'ok', isReusable: false },
  ],
  'a stray line end behind it': [`${OK}Content-Length: 2\r\n\r\nok\r\n`, { body: 'ok', isReusable: true }],
  'no reason': ['HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n', { status: 404, reason: '' }],
  'a reason in Latin-1': [
    'HTTP/1.1 200 Tr\xe8s bien\r\nContent-Length: 0\r\n\r\n',
    { reason: 'Tr\xe8s bien' },
  ],
  'blanks around values': [
    `${OK}A:\t x y \t\r\nB:\r\nContent-Length:0\r\n\r\n`,
    { headers: ['A', 'x y', 'B', '', 'Content-Length', '0'] },
  ],
  'interim answers': [
    `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n${OK}Content-Length: 2\r\n\r\nok`,
    { interim: [100, 103], body: 'ok' },
  ],
  'to HEAD': [`${OK}Content-Length: 99\r\n\r\n`, { body: '', isReusable: false }, { method: 'HEAD' }],
  'to HEAD, chunked': [
    `${OK}Transfer-Encoding: chunked\r\n\r\n`,
    { body: '', isReusable: false },
    { method: 'HEAD' },
  ],
  '204 with a length': ['HTTP/1.1 204 None\r\nContent-Length: 9\r\n\r\n', { body: '', isReusable: false }],
  '304 with a length': ['HTTP/1.1 304 Same\r\nContent-Length: 9\r\n\r\n', { body: '', isReusable: false }],
  'a switch that was asked for': [
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x00',
    { status: 101, body: '\x81\x00', isReusable: false },
    { upgrade: true },
  ],
  'a switch that was not followed': [
    `${OK}Content-Length: 2\r\n\r\nno`,
    { status: 200, body: 'no', isReusable: true },
    { upgrade: true },
  ],
}

for (const [name, [text, expected, options]] of Object.entries(good)) {
  t.test(`${name}: parsed, whatever the pieces`, async (t) => {
    const whole = read([text], options)
    t.match(whole, { isWhole: true, error: undefined, ...expected })
    // What follows a switch belongs to the other protocol, and is no longer read here.
    if (whole.status === 101) return
    t.strictSame({ ...read([...text], options), used: 1 }, whole, 'byte by byte')
    for (let at = 1; at < text.length; at++) {
      const pieces = [text.slice(0, at), text.slice(at)]
      t.strictSame({ ...read(pieces, options), used: 1 }, whole, `in two, after ${at}`)
    }
  }).catch(t.threw)
}

const bad: Record<string, [text: string, reason: string]> = {
  'another protocol': ['SSH-2.0-OpenSSH_9', 'bad_head'],
  'bytes of TLS': ['\x15\x03\x01\x00\x02', 'bad_head'],
  'HTTP/2': ['HTTP/2 200 OK\r\n\r\n', 'bad_head'],
  'HTTP/1.2': ['HTTP/1.2 200 OK\r\n\r\n', 'bad_head'],
  'http in small letters': ['http/1.1 200 OK\r\n\r\n', 'bad_head'],
  'a line break before it': [`\r\n${OK}\r\n`, 'bad_head'],
  'a status of two digits': ['HTTP/1.1 20 OK\r\n\r\n', 'bad_head'],
  'a status of four digits': ['HTTP/1.1 2000 OK\r\n\r\n', 'bad_head'],
  'a status below 100': ['HTTP/1.1 099 OK\r\n\r\n', 'bad_head'],
  'two blanks before the status': ['HTTP/1.1  200 OK\r\n\r\n', 'bad_head'],
  'LF alone': ['HTTP/1.1 200 OK\nA: b', 'bad_head'],
  'CR alone': ['HTTP/1.1 200 OK\rA: b', 'bad_head'],
  'NUL in a head that has not ended': ['HTTP/1.1 200 OK\r\nA: \0', 'bad_head'],
  'NUL in a value': [`${OK}A: b\0c\r\n\r\n`, 'bad_head'],
  'a folded value': [`${OK}A: b\r\n c\r\n\r\n`, 'bad_head'],
  'a blank before the colon': [`${OK}A : b\r\n\r\n`, 'bad_head'],
  'no colon': [`${OK}A\r\n\r\n`, 'bad_head'],
  'no name': [`${OK}: b\r\n\r\n`, 'bad_head'],
  'a name beyond ASCII': [`${OK}\xe9: b\r\n\r\n`, 'bad_head'],
  'two equal lengths': [`${OK}Content-Length: 2\r\ncontent-length: 2\r\n\r\nok`, 'bad_framing'],
  'a list of lengths': [`${OK}Content-Length: 2, 2\r\n\r\nok`, 'bad_framing'],
  'an empty length': [`${OK}Content-Length: \r\n\r\nok`, 'bad_framing'],
  'a length with a sign': [`${OK}Content-Length: +2\r\n\r\nok`, 'bad_framing'],
  'a length beyond numbers': [`${OK}Content-Length: 9999999999999999\r\n\r\nok`, 'bad_framing'],
  'a length with a tab': [`${OK}A:\tb\r\nContent-Length: 2\t\r\n\r\nok`, 'bad_framing'],
  'length and chunks': [`${OK}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n`, 'bad_framing'],
  'two codings': [`${OK}Transfer-Encoding: gzip, chunked\r\n\r\n`, 'bad_framing'],
  'chunked twice': [`${OK}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n`, 'bad_framing'],
  'an unknown coding': [`${OK}Transfer-Encoding: identity\r\n\r\n`, 'bad_framing'],
  'a coding with a control character': [`${OK}Transfer-Encoding: \x0bchunked\r\n\r\n`, 'bad_head'],
  'chunks in HTTP/1.0': ['HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', 'bad_framing'],
  'a chunk without a size': [`${OK}Transfer-Encoding: chunked\r\n\r\n;a\r\n`, 'bad_chunk'],
  'a chunk with a sign': [`${OK}Transfer-Encoding: chunked\r\n\r\n+2\r\nok\r\n`, 'bad_chunk'],
  'a chunk in 0x': [`${OK}Transfer-Encoding: chunked\r\n\r\n0x2\r\nok\r\n`, 'bad_chunk'],
  'a chunk beyond numbers': [`${OK}Transfer-Encoding: chunked\r\n\r\nfffffffffffff\r\n`, 'bad_chunk'],
  'a chunk with a blank behind its size': [`${OK}Transfer-Encoding: chunked\r\n\r\n2 \r\nok`, 'bad_chunk'],
  'a chunk with an extension without a name': [
    `${OK}Transfer-Encoding: chunked\r\n\r\n2;,\r\nok`,
    'bad_chunk',
  ],
  'a chunk that ends with LF': [`${OK}Transfer-Encoding: chunked\r\n\r\n2\nok`, 'bad_chunk'],
  'a chunk that goes on': [`${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nokay\r\n`, 'bad_chunk'],
  'a bad trailer': [`${OK}Transfer-Encoding: chunked\r\n\r\n0\r\nA b\r\n\r\n`, 'bad_head'],
  'an interim answer with a length': [
    `HTTP/1.1 103 Early\r\nContent-Length: 2\r\n\r\n${OK}Content-Length: 2\r\n\r\nok`,
    'bad_framing',
  ],
  'a switch that nobody asked for': ['HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n', 'unasked_upgrade'],
  'a head without an end': [`${OK}A: ${'a'.repeat(66_000)}`, 'head_too_large'],
  'a head that is too large': [`${OK}A: ${'a'.repeat(66_000)}\r\n\r\n`, 'head_too_large'],
  'trailers without an end': [
    `${OK}Transfer-Encoding: chunked\r\n\r\n0\r\n${'A: b\r\n'.repeat(4000)}`,
    'bad_chunk',
  ],
  'a chunk extension without an end': [
    `${OK}Transfer-Encoding: chunked\r\n\r\n2;${'a'.repeat(17_000)}`,
    'bad_chunk',
  ],
}

t.test('attack: responses that two parsers could read differently are refused', async (t) => {
  for (const [name, [text, reason]] of Object.entries(bad)) {
    const whole = read([text])
    t.match({ ...whole, body: '' }, { isWhole: false, isReusable: false, error: reason }, name)
    t.match(read([...text]), { isWhole: false, error: reason }, `${name}, byte by byte`)
  }
})

t.test('an incomplete response is refused', async (t) => {
  for (const text of [
    '',
    'HTT',
    `${OK}Content-Len`,
    `${OK}Content-Length: 3\r\n\r\nok`,
    `${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n`,
    `${OK}Transfer-Encoding: chunked\r\n\r\n2\r\no`,
    `${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nA: b\r\n`,
    'HTTP/1.1 103 Early\r\n\r\n',
  ]) {
    t.match(read([text], { ends: true }), { isWhole: false, error: 'closed' }, JSON.stringify(text))
  }
})

t.test('attack: data behind a response makes the connection unusable', async (t) => {
  for (const behind of ['\n', '\r\n\r\n', '\r\nx', 'x', `${OK}Content-Length: 4\r\n\r\nevil`]) {
    for (const [text, method] of [
      [`${OK}Content-Length: 2\r\n\r\nok`, 'GET'],
      [`${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n`, 'GET'],
      ['HTTP/1.1 204 None\r\n\r\n', 'GET'],
      [`${OK}Content-Length: 2\r\n\r\n`, 'HEAD'],
    ] as const) {
      for (const pieces of [[text + behind], [text, behind]]) {
        const got = read(pieces, { method })
        t.match(got, { isWhole: true, isReusable: false, error: undefined })
        t.notMatch(got.body, 'evil')
      }
    }
  }
})

t.test(
  'paused after each event, the parser reports one per resume, even after the connection’s end',
  async (t) => {
    for (const [text, ends] of [
      [`${OK}Content-Length: 2\r\n\r\nok`, false],
      [`${OK}Content-Length: 0\r\n\r\n`, false],
      [`${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n`, false],
      [`${OK}\r\nok`, true],
      [`${OK}Content-Length: 2\r\n\r\nok`, true],
    ] as const) {
      const told: string[] = []
      const pauses = (what: string) => {
        told.push(what)
        parser.pause()
      }
      const parser: ResponseParser = new ResponseParser({
        onInterim() {},
        onHead: () => pauses('head'),
        onData: (piece) => pauses(piece.toString()),
        onEnd: () => pauses('end'),
        onUpgrade() {},
      })
      parser.expect({ isHead: false, isUpgrade: false })
      parser.read(Buffer.from(text, 'latin1'))
      if (ends) parser.close()
      const all = text.endsWith(': 0\r\n\r\n') ? ['head', 'end'] : ['head', 'ok', 'end']
      for (let n = 1; n <= all.length; n++) {
        t.strictSame(told, all.slice(0, n), JSON.stringify(text))
        parser.resume()
      }
      t.strictSame(told, all)
    }
  },
)

t.test('a connection that ends within a response while paused is reported after resuming', async (t) => {
  const parser: ResponseParser = new ResponseParser({
    onInterim() {},
    onHead: () => parser.pause(),
    onData() {},
    onEnd: () => t.fail('it has no end'),
    onUpgrade() {},
  })
  parser.expect({ isHead: false, isUpgrade: false })
  parser.read(Buffer.from(`${OK}Content-Length: 3\r\n\r\nok`))
  parser.close()
  t.throws(() => parser.resume(), new UpstreamError('lost', 'closed'))
})
