/**
 * A preflight needs no token on a route with `cors: upstream`. Requests that no browser sends as a preflight must not
 * reach the upstream in this way.
 */
import t from 'tap'
import { attack, head, startRecorder, startWire, valuesOf } from '../support/wire.js'

const upstream = await startRecorder(t)
const PREFLIGHT = ['Origin: https://pages.example', 'Access-Control-Request-Method: PUT']

for (const origins of [[], ['https://pages.example']]) {
  t.test(`with cors.origins ${JSON.stringify(origins)}`, async (t) => {
    const routes = [
      { path: '/read', methods: ['GET'], upstream: upstream.url, cors: 'upstream' },
      { path: '/read', upstream: upstream.url },
      { path: '/', upstream: upstream.url, cors: 'upstream' },
    ]
    const wire = { ...(await startWire(t, { cors: { origins }, routes })), upstream }
    const send = (...lines: string[]) => wire.send(head(...lines, 'Connection: close'))
    const isForwarded = async (lines: string[], body = '') => {
      const before = upstream.requests.length
      const { statuses } = await wire.send(head(...lines, 'Host: x', 'Connection: close') + body)
      return { statuses, forwarded: upstream.requests.length > before }
    }

    t.test('a preflight of a browser is forwarded', async (t) => {
      const sent = await isForwarded(['OPTIONS /a HTTP/1.1', ...PREFLIGHT, 'Sec-Fetch-Mode: cors'])
      t.strictSame(sent, { statuses: [200], forwarded: true })
    })

    t.test('none with a body, credentials, or another method', async (t) => {
      const refused: Record<string, [string[], string?]> = {
        'a body': [['OPTIONS /a HTTP/1.1', ...PREFLIGHT, 'Content-Length: 4'], 'a=b\n'],
        'a body in chunks': [
          ['OPTIONS /a HTTP/1.1', ...PREFLIGHT, 'Transfer-Encoding: chunked'],
          '0\r\n\r\n',
        ],
        'a bad token': [['OPTIONS /a HTTP/1.1', ...PREFLIGHT, 'Authorization: Bearer x']],
        'other credentials': [['OPTIONS /a HTTP/1.1', ...PREFLIGHT, 'Authorization: Basic YTpi']],
        'a cookie': [['OPTIONS /a HTTP/1.1', ...PREFLIGHT, 'Cookie: session=upstream']],
        'an empty cookie': [['OPTIONS /a HTTP/1.1', ...PREFLIGHT, 'Cookie:']],
        'no Origin': [['OPTIONS /a HTTP/1.1', PREFLIGHT[1]!]],
        'no requested method': [['OPTIONS /a HTTP/1.1', PREFLIGHT[0]!]],
        'an unknown method': [['OPTIONS /a HTTP/1.1', PREFLIGHT[0]!, 'Access-Control-Request-Method: FOO']],
        'two methods': [['OPTIONS /a HTTP/1.1', ...PREFLIGHT, 'Access-Control-Request-Method: GET']],
        'a requested TRACE': [['OPTIONS /a HTTP/1.1', PREFLIGHT[0]!, 'Access-Control-Request-Method: TRACE']],
        GET: [['GET /a HTTP/1.1', ...PREFLIGHT]],
        PUT: [['PUT /a HTTP/1.1', ...PREFLIGHT]],
        'an overridden method': [['PUT /a HTTP/1.1', ...PREFLIGHT, 'X-HTTP-Method-Override: OPTIONS']],
        'a WebSocket handshake': [
          [
            'GET /a HTTP/1.1',
            ...PREFLIGHT,
            'Upgrade: websocket',
            'Sec-WebSocket-Version: 13',
            'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
          ],
        ],
      }
      for (const [name, [lines, body]] of Object.entries(refused)) {
        const { statuses, forwarded } = await isForwarded(lines, body)
        t.notOk(forwarded, name)
        t.match(statuses.at(-1), /^(401|404|204)$/, name)
      }
    })

    t.test('the method that it names selects no stricter route', async (t) => {
      for (const method of ['PUT', 'DELETE', 'get', 'GET, PUT', 'OPTIONS']) {
        const lines = ['OPTIONS /read HTTP/1.1', PREFLIGHT[0]!, `Access-Control-Request-Method: ${method}`]
        t.notOk((await isForwarded(lines)).forwarded, method)
      }
      const reading = ['OPTIONS /read HTTP/1.1', PREFLIGHT[0]!, 'Access-Control-Request-Method: GET']
      t.ok((await isForwarded(reading)).forwarded)
      t.equal(upstream.requests.at(-1)!.method, 'OPTIONS')
    })

    t.test('the upstream gets no identity, no method override, and no token from the query', async (t) => {
      await attack(t, wire, {
        lines: head(
          'OPTIONS /a?access_token=x.y.z HTTP/1.1',
          'Host: x',
          ...PREFLIGHT,
          'X-Forwarded-User: root',
          'X-HTTP-Method-Override: DELETE',
          'Connection: close',
        ),
      })
      const received = upstream.requests.at(-1)!
      t.equal(received.method, 'OPTIONS')
      t.strictSame(valuesOf(received, 'x-forwarded-user'), [])
      t.notMatch(received.bytes, /DELETE/)
    })

    t.test('paths that are refused otherwise are refused', async (t) => {
      for (const target of ['/a/..%2fb', '/a//b', '/a;b', '/READ']) {
        const { statuses } = await send(`OPTIONS ${target} HTTP/1.1`, 'Host: x', ...PREFLIGHT)
        t.notMatch(statuses, [200], target)
      }
    })
  })
}
