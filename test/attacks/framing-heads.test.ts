/**
 * Heads that are not to the letter: folded lines, NULs, blanks before the colon, odd versions, HTTP/0.9, other
 * protocols.
 */
import t from 'tap'
import { SMUGGLED, attack, head, startWire } from '../support/wire.js'

const wire = await startWire(t)
const get = (...lines: string[]) => head('GET /open HTTP/1.1', 'Host: x', ...lines) + SMUGGLED

const REFUSED = {
  'a folded header': get('X: y', ' folded: z'),
  'a folded header, by a tab': get('X: y', '\tfolded: z'),
  'a fold before the first header': head('GET /open HTTP/1.1', ' X: y', 'Host: x') + SMUGGLED,
  'a fold after the empty value': get('X:', ' y'),
  'NUL in a value': get('X: a\0b'),
  'NUL in a name': get('X\0Y: a'),
  'NUL in the target': head('GET /open\0x HTTP/1.1', 'Host: x') + SMUGGLED,
  'NUL at the beginning': `\0${get('X: y')}`,
  'DEL in a value': get('X: a\x7fb'),
  'a control character in a value': get('X: a\x01b'),
  'a blank before the colon': get('X : y'),
  'a tab before the colon': get('X\t: y'),
  'no name': get(': y'),
  'no colon': get('X-No-Colon'),
  'a blank in a name': get('X Y: z'),
  'a non-ASCII name': get('X\xe9: y'),
  'a separator in a name': get('X(Y): z'),
  'quotes round a name': get('"X": y'),
  'a header without an end': `GET /open HTTP/1.1\r\nHost: x\r\nX: y\r\r\n${SMUGGLED}`,
  'no target': head('GET HTTP/1.1', 'Host: x') + SMUGGLED,
  'an empty target': head('GET  HTTP/1.1', 'Host: x') + SMUGGLED,
  'two targets': head('GET /open /guarded HTTP/1.1', 'Host: x') + SMUGGLED,
  'a tab for a blank': head('GET\t/open\tHTTP/1.1', 'Host: x') + SMUGGLED,
  'a blank after the version': head('GET /open HTTP/1.1 ', 'Host: x') + SMUGGLED,
  'a blank before the method': head(' GET /open HTTP/1.1', 'Host: x') + SMUGGLED,
  'an unknown method': head('GUARDED /open HTTP/1.1', 'Host: x') + SMUGGLED,
  'a method in lower case': head('get /open HTTP/1.1', 'Host: x') + SMUGGLED,
  'another protocol': head('GET /open HTTPS/1.1', 'Host: x') + SMUGGLED,
  'version 1.2': head('GET /open HTTP/1.2', 'Host: x') + SMUGGLED,
  'version 9.9': head('GET /open HTTP/9.9', 'Host: x') + SMUGGLED,
  'version 1': head('GET /open HTTP/1', 'Host: x') + SMUGGLED,
  'version 1.01': head('GET /open HTTP/1.01', 'Host: x') + SMUGGLED,
  'HTTP/0.9': `GET /open\r\n${SMUGGLED}`,
  'HTTP/0.9 to what is guarded': 'GET /guarded\r\n\r\n',
  'the preface of HTTP/2': `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0${SMUGGLED}`,
  'a handshake of TLS': `\x16\x03\x01\0\x05hello${SMUGGLED}`,
  'the PROXY protocol': `PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n${SMUGGLED}`,
  'an answer': `HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n${SMUGGLED}`,
  'no Host': head('GET /open HTTP/1.1') + SMUGGLED,
  'two Hosts': get('Host: y'),
  'two Hosts, in another case': get('hOsT: x'),
}

t.test('each is refused, the connection closed, and the upstream gets nothing', async (t) => {
  const answers = await attack(t, wire, REFUSED)
  for (const [name, { statuses, text }] of Object.entries(answers)) {
    t.strictSame(statuses, [400], name)
    t.notMatch(text, /HPE_|parse error/i, 'the parser’s words stay inside')
  }
  t.strictSame(wire.upstream.requests, [])
})

t.test('extra blanks in a request line are not passed on', async (t) => {
  for (const line of ['GET  /open/blanks HTTP/1.1', 'GET /open/blanks  HTTP/1.1']) {
    const answers = await attack(t, wire, { [line]: head(line, 'Host: x') + SMUGGLED })
    t.ok(answers[line]!.statuses.slice(1).every((status) => status >= 400))
    const { bytes } = wire.upstream.requests.pop() ?? {}
    t.match(bytes ?? 'GET /open/blanks HTTP/1.1', /^GET \/open\/blanks HTTP\/1\.1/)
  }
})

t.test('CONNECT and TRACE are refused, with a token or without', async (t) => {
  for (const target of ['/open', 'x:80', '127.0.0.1:80', '/guarded']) {
    for (const method of ['CONNECT', 'TRACE']) {
      const name = `${method} ${target}`
      const answers = await attack(t, wire, { [name]: head(`${name} HTTP/1.1`, 'Host: x') + SMUGGLED })
      const { statuses, text } = answers[name]!
      t.ok(
        statuses.every((status) => status >= 400),
        `${name}: ${statuses.join()}`,
      )
      t.notMatch(text, /GET \/guarded/, 'nothing is echoed')
    }
  }
  t.strictSame(wire.upstream.requests, [])
})
