/**
 * A client writes the identity itself, by names that become the gateway's header only behind it, as CGI makes them
 * one.
 */
import t from 'tap'
import { logIn } from '../support/gateway-process.js'
import { attack, head, startRecorder, startWire, valuesOf } from '../support/wire.js'

const upstream = await startRecorder(t)
const wire = {
  ...(await startWire(t, {
    identity: {
      headers: {
        'X-Forwarded-User': 'sub',
        'X-Auth-Request-Session': 'sid',
        'X_Odd.Name': 'sub',
        Tenant: 'tenant',
      },
    },
    routes: [
      { path: '/open', upstream: upstream.url, auth: 'none' },
      { path: '/optional', upstream: upstream.url, auth: 'optional' },
      { path: '/', upstream: upstream.url },
    ],
  })),
  upstream,
}
const NAMES = ['X-Forwarded-User', 'X-Auth-Request-Session', 'X_Odd.Name', 'Tenant']

/** Every mix of the characters that count as one, and of case. */
function spellings(name: string): string[] {
  const separators = [...name.matchAll(/[-_.]/g)].length
  const mixes = Array.from({ length: 3 ** separators }, (_, mix) => {
    let at = 0
    return name.replaceAll(/[-_.]/g, () => '-_.'[Math.floor(mix / 3 ** at++) % 3]!)
  })
  return mixes.flatMap((mix) => [mix, mix.toLowerCase(), mix.toUpperCase()])
}
const SPOOFED = NAMES.flatMap(spellings).map((name) => `${name}: mallory`)
const { access_token: token, session_id: sid } = await logIn(wire.url)
const authorization = `Authorization: Bearer ${token}`

t.test('removed on every route in every spelling', async (t) => {
  for (const path of ['/open', '/optional', '/mine']) {
    for (const lines of path === '/mine' ? [[authorization]] : [[], [authorization]]) {
      const bytes = head(`GET ${path} HTTP/1.1`, 'Host: x', ...SPOOFED, ...lines, 'Connection: close')
      const answers = await attack(t, wire, { bytes })
      t.strictSame(answers['bytes']?.statuses, [200])
      const received = upstream.requests.at(-1)!
      t.notMatch(received.bytes, 'mallory', path)
      const isKnown = lines.length > 0 && path !== '/open'
      t.strictSame(valuesOf(received, 'X-Forwarded-User'), isKnown ? ['ada'] : [], path)
      t.strictSame(valuesOf(received, 'X-Auth-Request-Session'), isKnown ? [sid] : [])
      t.strictSame(valuesOf(received, 'X-Odd-Name'), isKnown ? ['ada'] : [])
      t.strictSame(valuesOf(received, 'Tenant'), [], 'the token has no such claim')
    }
  }
})

t.test('Connection neither removes them nor lets others through', async (t) => {
  const nominations = [
    'X-Forwarded-User',
    'x-forwarded-user, X-AUTH-REQUEST-SESSION, X_Odd.Name',
    'close, X-Forwarded-User',
    'X_Forwarded_User',
    ' X-Forwarded-User\t,,X-Forwarded-For , Forwarded, Host, X-Real-IP',
    'keep-alive, X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Proto, X-Forwarded-Port',
    '"X-Forwarded-User"',
    '*',
  ]
  const spoofed = ['Host: x', authorization, 'X-Forwarded-User: mallory', 'X-Kept: 1']
  const payloads = nominations.map((nomination, n) => [
    nomination,
    head(`GET /mine/${n} HTTP/1.1`, ...spoofed, `Connection: ${nomination}`),
  ])
  await attack(t, wire, Object.fromEntries(payloads))
  for (const [n, nomination] of nominations.entries()) {
    const received = upstream.requests.find(({ target }) => target === `/mine/${n}`)!
    const values = (name: string) => valuesOf(received, name)
    t.strictSame(values('X-Forwarded-User'), ['ada'], nomination)
    t.strictSame(values('X-Auth-Request-Session'), [sid], nomination)
    t.strictSame(values('X-Forwarded-For'), ['127.0.0.1'], nomination)
    t.strictSame(values('X-Forwarded-Host'), ['x'], nomination)
    t.strictSame(values('X-Real-IP'), ['127.0.0.1'], nomination)
    t.equal(values('Forwarded').length, 1, nomination)
    t.strictSame(values('Host'), ['x'], nomination)
    t.strictSame(values('X-Kept'), ['1'])
  }
})

t.test('Connection can’t remove the handling of cookies or tokens', async (t) => {
  upstream.requests.length = 0
  for (const name of ['Authorization', 'Cookie', 'Origin', 'Host', 'Content-Length']) {
    const lines = [
      'Host: x',
      `Cookie: __Host-access=${token}`,
      'Origin: http://evil.example',
      'Content-Length: 0',
    ]
    const answers = await attack(t, wire, {
      [name]: head('POST /mine HTTP/1.1', ...lines, `Connection: close, ${name}`),
    })
    t.strictSame(answers[name]?.statuses, [403], name)
  }
  t.strictSame(upstream.requests, [])
})

t.test('repeated or split headers don’t arrive either', async (t) => {
  const lines = Array.from(
    { length: 60 },
    (_, n) => `${n % 2 ? 'X_Forwarded-User' : 'X-FORWARDED-USER'}: mallory${n}`,
  )
  await attack(t, wire, {
    many: head('GET /mine HTTP/1.1', 'Host: x', ...lines, authorization, 'Connection: close'),
  })
  t.strictSame(valuesOf(upstream.requests.at(-1)!, 'X-Forwarded-User'), ['ada'])
})
