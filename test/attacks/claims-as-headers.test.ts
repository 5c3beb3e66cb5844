/** Claims that would be more than one header, or another one, to the server that reads them. */
import t from 'tap'
import { claimsOf, home, logIn, sharedSettings } from '../support/gateway-process.js'
import { loadKey } from '../../src/token/key-directory.js'
import { createJwt } from '../../plugins/jwt.js'
import { attack, head, startRecorder, startWire, valuesOf } from '../support/wire.js'

const directory = await home(t)
const upstream = await startRecorder(t)
const wire = {
  ...(await startWire(
    t,
    {
      identity: { headers: { 'X-User': 'sub', 'X-Name': 'name', 'X-Proto': 'constructor' } },
      routes: [{ path: '/', upstream: upstream.url }],
    },
    directory,
  )),
  upstream,
}
const settings = sharedSettings(directory)
const { access_token: token } = await logIn(wire.url)
const { key } = await loadKey({ algorithm: 'ES256', dir: settings.keys.dir })
const jwt = await createJwt(key, settings)

/** A good token of ada's, with these claims besides. */
const withClaims = (claims: object) => jwt.sign({ ...claimsOf(token), ...claims } as never)
const get = (bearer: string, target = '/mine') =>
  head(`GET ${target} HTTP/1.1`, 'Host: x', `Authorization: Bearer ${bearer}`, 'Connection: close')

t.test('a claim that no header can carry unchanged is refused, and nothing is forwarded', async (t) => {
  const values = [
    'eve\r\nX-User: root',
    'eve\nX-User: root',
    'eve\rX-User: root',
    'eve\r\n\r\nGET /guarded HTTP/1.1\r\nHost: x\r\n\r\n',
    'eve\r\n X-Folded: root',
    'eve\0root',
    'eve\x0broot',
    'eve\x7f',
    'eve\x1b[2J',
    ' eve',
    'eve ',
    '\teve',
    '\u00a0eve',
    '\ufeffeve',
    '\ud800eve',
    'eve\udfff',
    '\r\n',
    '\n',
  ]
  for (const name of ['name', 'sub']) {
    for (const value of values) {
      const { statuses, text } = await wire.send(get(withClaims({ [name]: value })))
      t.strictSame(statuses, [401], `${name}: ${JSON.stringify(value)}`)
      t.notMatch(text, /eve|root/, 'nor is it repeated')
    }
  }
  t.strictSame(upstream.requests, [])
  t.strictSame(upstream.faults, [])
})

t.test(
  'a claim that stays one value arrives unchanged in UTF-8, also with characters whose bytes end like CR or LF',
  async (t) => {
    const values = [
      'Zoë',
      '李',
      '\u010a\u010d',
      '\u560a\u560d',
      '😀',
      'a;b=c, d="e"',
      'a: b',
      '../../x',
      '${jndi:x}',
      "' OR 1=1 --",
      'a  b',
    ]
    for (const [n, value] of values.entries()) {
      const { ok } = await attack(t, wire, { ok: get(withClaims({ name: value }), `/mine/${n}`) })
      t.strictSame(ok?.statuses, [200], value)
      const received = upstream.requests.at(-1)!
      t.strictSame(valuesOf(received, 'X-Name').map(utf8), [value])
      t.strictSame(valuesOf(received, 'X-User'), ['ada'])
      t.equal(received.headers.filter(([name]) => /^x-(user|name|proto)$/i.test(name)).length, 2)
    }
  },
)

const utf8 = (latin1: string) => Buffer.from(latin1, 'latin1').toString()

t.test('a claim that isn’t a plain value, or is inherited, gives no header', async (t) => {
  for (const value of [null, [], ['root'], { toString: 'root' }, {}]) {
    const { ok } = await attack(t, wire, { ok: get(withClaims({ name: value })) })
    t.strictSame(ok?.statuses, [200], JSON.stringify(value))
    const received = upstream.requests.at(-1)!
    t.strictSame(valuesOf(received, 'X-Name'), [])
    t.strictSame(valuesOf(received, 'X-Proto'), [])
  }
  await attack(t, wire, { ok: get(withClaims({ name: '' })) })
  t.match(valuesOf(upstream.requests.at(-1)!, 'X-Name').join(), /^$/, 'an empty one names nobody')
})

t.test('a claim as long as a head can’t exceed the upstream’s limits', async (t) => {
  const { statuses } = await wire.send(get(withClaims({ name: 'x'.repeat(7000) })))
  t.match(statuses.join(), /^(401|431)$/, 'the token itself is over the limit for heads')
})
