/**
 * Two access tokens in one request, of which gate and upstream, or two gates, might each take another one (RFC 6750
 * §2).
 */
import t from 'tap'
import { logIn } from '../support/gateway-process.js'
import { attack, head, startWire, valuesOf } from '../support/wire.js'

const wire = await startWire(t)
const { access_token: ada } = await logIn(wire.url)
const { access_token: bob } = await logIn(wire.url, 'bob')
const bearer = (token: string) => `Authorization: Bearer ${token}`
const cookie = (...tokens: string[]) =>
  `Cookie: ${tokens.map((token) => `__Host-access=${token}`).join('; ')}`
const get = (path: string, ...lines: string[]) =>
  head(`GET ${path} HTTP/1.1`, 'Host: x', ...lines, 'Connection: close')

const TWO: Record<string, string[]> = {
  'two headers': [bearer(ada), bearer(bob)],
  'two equal headers': [bearer(ada), bearer(ada)],
  'in two cases': [bearer(ada), `AUTHORIZATION: bearer ${bob}`],
  'the second one empty': [bearer(ada), 'Authorization: Bearer'],
  'the first one bad': ['Authorization: Bearer x', bearer(ada)],
  'header and cookie': [bearer(ada), cookie(bob)],
  'header and an equal cookie': [bearer(ada), cookie(ada)],
  'a good header, a bad cookie': [bearer(ada), cookie('x')],
  'two cookies': [cookie(ada, bob)],
  'two equal cookies': [cookie(ada, ada)],
  'in two Cookie headers': [cookie(ada), cookie(bob)],
  'with others between': [`Cookie: __Host-access=${ada}; legacy=1; __Host-access=${bob}`],
}

t.test('two tokens are 400 on a route that reads tokens, and nothing is forwarded', async (t) => {
  for (const path of ['/mine', '/optional', '/auth/me']) {
    const payloads = Object.entries(TWO).map(([name, lines]) => [`${path}: ${name}`, get(path, ...lines)])
    const answers = await attack(t, wire, Object.fromEntries(payloads))
    for (const [name, { statuses, text }] of Object.entries(answers)) {
      t.strictSame(statuses, [400], name)
      t.match(text, '"code":"credentials_ambiguous"', name)
      t.notMatch(text, /eyJ/, 'no token comes back')
    }
  }
  t.strictSame(wire.upstream.requests, [])
})

t.test('two tokens in one header are one malformed token', async (t) => {
  const payloads = [
    `${bearer(ada)}, Bearer ${bob}`,
    `${bearer(ada)} ${bob}`,
    `${bearer(ada)},${bob}`,
    `Authorization: Basic eDp5, Bearer ${ada}`,
  ]
  const answers = await attack(
    t,
    wire,
    Object.fromEntries(payloads.map((line, n) => [String(n), get('/mine', line)])),
  )
  for (const [name, { statuses }] of Object.entries(answers))
    t.strictSame(statuses, [401], payloads[Number(name)]!.slice(0, 24))
  t.strictSame(wire.upstream.requests, [])
})

t.test('on an open route, the upstream gets neither token under any name', async (t) => {
  const lines = [
    bearer(ada),
    `X-Forwarded-Access-Token: ${bob}`,
    `Authorization_: Bearer ${bob}`,
    `Proxy-Authorization: Bearer ${bob}`,
    'X-Forwarded-User: bob',
    'Cookie: __Secure-refresh=x; __Host-refresh=y; legacy=1',
  ]
  await attack(t, wire, { one: get('/mine', ...lines) })
  const received = wire.upstream.requests.at(-1)!
  t.strictSame(valuesOf(received, 'x-forwarded-user'), ['ada'])
  t.strictSame(valuesOf(received, 'authorization'), [])
  t.strictSame(valuesOf(received, 'proxy-authorization'), [])
  t.strictSame(valuesOf(received, 'x-forwarded-access-token'), [])
  t.strictSame(valuesOf(received, 'cookie'), ['legacy=1'])
  t.notOk(received.bytes.includes(ada))
})

t.test('a token in a spelling that gateway and upstream may read differently is refused', async (t) => {
  wire.upstream.requests.length = 0
  const lines = [
    `Authorization: Bearer ${ada}\x0b`,
    `Authorization: Bearer\t${ada}`,
    `Authorization: Bearer  ${ada} `,
    `Authorization:Bearer\xa0${ada}`,
    `Authorization: "Bearer ${ada}"`,
    `Authorization: Bearer "${ada}"`,
    `Authorization: Bearer ${ada}=`,
    `Authorization: Bearer ${ada}.`,
    `Authorization: Bearer ${encodeURIComponent(ada)}%20`,
    `Authorization_: Bearer ${ada}`,
    `Author.ization: Bearer ${ada}`,
    `Cookie: __host-access=${ada}`,
    `Cookie: __Host-access="${ada}"`,
    `Cookie: \xa0__Host-access=${ada}`,
    `Cookie: =__Host-access=${ada}`,
    `Cookie: a="; __Host-access=${ada}`,
  ]
  const answers = await attack(t, wire, Object.fromEntries(lines.map((line) => [line, get('/mine', line)])))
  const outcome = (line: string) => answers[line]!.statuses.join()
  const good = lines.filter((line) => outcome(line) === '200')
  t.strictSame(
    good.map((line) => line.replace(ada, 'TOKEN')),
    ['Authorization: Bearer  TOKEN ', 'Cookie: a="; __Host-access=TOKEN'],
    'outer blanks count for nothing, and quotes don’t hold cookies together (RFC 6265 §5.4)',
  )
  for (const line of lines) t.match(outcome(line), /^(200|400|401)$/, line.replace(ada, 'TOKEN'))
  t.notOk(wire.upstream.requests.some(({ bytes }) => bytes.includes(ada)))
})
