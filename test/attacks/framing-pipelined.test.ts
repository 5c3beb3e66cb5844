/** Several requests on one connection: each is judged by itself, and what one was allowed is nothing to the next. */
import t from 'tap'
import { logIn } from '../support/gateway-process.js'
import { SMUGGLED, attack, head, startWire, valuesOf } from '../support/wire.js'

const wire = await startWire(t)
const { upstream } = wire
const open = head('GET /open/good HTTP/1.1', 'Host: x')
const targets = () => upstream.requests.map(({ target }) => target)

t.test('a second request without a token is refused, whatever the first one was', async (t) => {
  const { access_token: token } = await logIn(wire.url)
  const mine = head('GET /mine HTTP/1.1', 'Host: x', `Authorization: Bearer ${token}`)
  const post = head('POST /open/good HTTP/1.1', 'Host: x', 'Content-Length: 2') + 'hi'
  const chunked =
    head('POST /open/good HTTP/1.1', 'Host: x', 'Transfer-Encoding: chunked') + '2\r\nhi\r\n0\r\n\r\n'
  const answers = await attack(t, wire, {
    'after an open one': open + SMUGGLED,
    'after one with a token': mine + SMUGGLED,
    'after one with a body': post + SMUGGLED,
    'after one with chunks': chunked + SMUGGLED,
    'after a login': head('GET /auth/me HTTP/1.1', 'Host: x', `Authorization: Bearer ${token}`) + SMUGGLED,
  })
  for (const [name, { statuses }] of Object.entries(answers)) t.strictSame(statuses, [200, 401], name)
  t.strictSame(targets().toSorted(), ['/mine', '/open/good', '/open/good', '/open/good'])
})

t.test('a request inside a body is not a request, with any method', async (t) => {
  upstream.requests.length = 0
  for (const method of ['GET', 'HEAD', 'DELETE', 'OPTIONS', 'POST', 'PUT', 'PATCH']) {
    const line = `${method} /open/body HTTP/1.1`
    const answers = await attack(t, wire, {
      sized: head(line, 'Host: x', `Content-Length: ${SMUGGLED.length}`, 'Connection: close') + SMUGGLED,
      chunked:
        head(line, 'Host: x', 'Transfer-Encoding: chunked', 'Connection: close') +
        `${SMUGGLED.length.toString(16)}\r\n${SMUGGLED}\r\n0\r\n\r\n`,
    })
    for (const [name, { statuses }] of Object.entries(answers))
      t.strictSame(statuses, [200], `${method} ${name}`)
    for (const { body } of upstream.requests.splice(0))
      t.equal(body, SMUGGLED, `${method}: framed, or not sent`)
  }
})

t.test('a refused request’s body is not read as the next request', async (t) => {
  const { access_token: token } = await logIn(wire.url)
  const inside = head(
    'POST /open/smuggled HTTP/1.1',
    'Host: x',
    `Authorization: Bearer ${token}`,
    'Content-Length: 0',
  )
  const lines = ['Host: x', `Content-Length: ${inside.length}`]
  const after = head('GET /open/after HTTP/1.1', 'Host: x', 'Connection: close')
  const answers = await attack(t, wire, {
    401: head('POST /guarded HTTP/1.1', ...lines) + inside + after,
    403:
      head('POST /other HTTP/1.1', ...lines, 'Cookie: __Host-access=x', 'Origin: http://evil.example') +
      inside +
      after,
    404: head('TRACE /nowhere HTTP/1.1', ...lines) + inside + after,
    413:
      head('POST /open HTTP/1.1', 'Host: x', 'Content-Length: 70000') +
      inside +
      'x'.repeat(70_000 - inside.length) +
      after,
    'ours, 400':
      head('POST /auth/login HTTP/1.1', ...lines, 'Content-Type: application/json') + inside + after,
    'ours, 415': head('POST /auth/login HTTP/1.1', ...lines, 'Content-Type: text/plain') + inside + after,
    'ours, 404': head('POST /auth/none HTTP/1.1', ...lines) + inside + after,
  })
  for (const [name, { statuses }] of Object.entries(answers))
    t.ok(statuses[0]! >= 400, `${name}: ${statuses.join()}`)
  t.notOk(targets().includes('/open/smuggled'))
})

t.test('many at once: each response in order, for its own request', async (t) => {
  upstream.requests.length = 0
  const { access_token: token } = await logIn(wire.url)
  const { access_token: other } = await logIn(wire.url, 'bob')
  const of = (n: number) =>
    [[], [`Authorization: Bearer ${token}`], [`Authorization: Bearer ${other}`]][n % 3]!
  const all = Array.from({ length: 30 }, (_, n) => head(`GET /optional/${n} HTTP/1.1`, 'Host: x', ...of(n)))
  const { statuses } = await wire.send(
    all.join('') + head('GET /none HTTP/1.1', 'Host: x', 'Connection: close'),
  )
  t.strictSame(statuses, [...Array(30).fill(200), 401])
  for (const request of upstream.requests) {
    const n = Number(request.target.split('/').at(-1))
    t.strictSame(valuesOf(request, 'x-forwarded-user'), [[], ['ada'], ['bob']][n % 3], request.target)
  }
  t.equal(upstream.requests.length, 30)
})
