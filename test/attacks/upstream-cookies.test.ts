/**
 * An upstream sets cookies of the gateway's names, in the ways in which browsers read Set-Cookie (RFC 6265bis §5.6).
 */
import t from 'tap'
import { rawUpstream } from '../support/forwarding.js'
import { startGateway } from '../support/gateway-process.js'
import { head, send } from '../support/wire.js'

const OURS = [
  'Set-Cookie: __Host-access=evil; Path=/; Secure',
  'Set-Cookie: __Secure-refresh=evil; Path=/auth; Secure',
  'SET-COOKIE: __Host-access=evil',
  'set-cookie: __HOST-ACCESS=evil',
  'Set-Cookie:__Host-access=evil',
  'Set-Cookie: \t __Host-access \t=evil',
  'Set-Cookie: =__Host-access=evil',
  'Set-Cookie: ==__Host-access=evil',
  'Set-Cookie: __Host-access',
  'Set-Cookie: __Host-access;evil=1',
  'Set-Cookie: __Host-access=; Max-Age=0; Comment=evil',
  'Set-Cookie: __Host-refresh=evil',
  'Set-Cookie: __Secure-access=evil',
  'Set-Cookie: __Secure-refresh=evil; Domain=.example',
]
const THEIRS = [
  'legacy=1; Path=/; HttpOnly',
  'x=__Host-access=1',
  'access=2',
  'refresh=3',
  'my__Host-access=4',
  '__Host-accessory=5; Secure; Path=/',
  '=nameless',
  'legacy=2',
]

t.test('none of them arrives, and all of its own do in order', async (t) => {
  const answer =
    head('HTTP/1.1 200 OK', ...OURS, ...THEIRS.map((one) => `Set-Cookie: ${one}`), 'Content-Length: 2') + 'ok'
  const upstream = await rawUpstream(t, (socket) => socket.end(Buffer.from(answer, 'latin1')))
  const routes = [{ path: '/', upstream: `http://127.0.0.1:${upstream.port}`, auth: 'none' }]
  const { url } = await startGateway(t, { routes })
  const { text } = await send(
    Number(new URL(url).port),
    head('GET / HTTP/1.1', 'Host: x', 'Connection: close'),
  )
  t.notMatch(text, 'evil')
  const set = [...text.matchAll(/^set-cookie: ?(.*)\r$/gim)].map(([, value]) => value)
  t.strictSame(set, THEIRS)
})

t.test('nor by a folded line, a trailer, or an interim response', async (t) => {
  for (const answer of [
    'HTTP/1.1 200 OK\r\nSet-Cookie: a=1;\r\n __Host-access=evil\r\nContent-Length: 2\r\n\r\nok',
    'HTTP/1.1 200 OK\r\nSet-Cookie:\r\n\t__Host-access=evil\r\nContent-Length: 2\r\n\r\nok',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nSet-Cookie: __Host-access=evil\r\n\r\n',
    'HTTP/1.1 103 Early Hints\r\nSet-Cookie: __Host-access=evil\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
    'HTTP/1.1 200 OK\r\nX: a\nSet-Cookie: __Host-access=evil\r\nContent-Length: 2\r\n\r\nok',
    'HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: __Host-access=evil\r\nContent-Length: 2\r\n\r\nok',
    'HTTP/1.1 200 OK\r\nSet\0-Cookie: __Host-access=evil\r\nContent-Length: 2\r\n\r\nok',
    'HTTP/1.1 200 OK\r\nSet-Cookie : __Host-access=evil\r\nContent-Length: 2\r\n\r\nok',
    'HTTP/1.1 200 OK\r\nSet-Cookie: \0__Host-access=evil\r\nContent-Length: 2\r\n\r\nok',
  ]) {
    const upstream = await rawUpstream(t, (socket) => socket.end(Buffer.from(answer, 'latin1')))
    const routes = [{ path: '/', upstream: `http://127.0.0.1:${upstream.port}`, auth: 'none' }]
    const { url } = await startGateway(t, { routes })
    const { text } = await send(
      Number(new URL(url).port),
      head('GET / HTTP/1.1', 'Host: x', 'Connection: close'),
    )
    t.match(text, /^HTTP\/1\.1 (103|200|502) /)
    t.notMatch(text, 'evil', JSON.stringify(answer.slice(0, 60)))
  }
})
