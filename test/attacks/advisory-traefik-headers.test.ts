/** What advisories told of how Traefik treats headers, tried on this gateway. */
import t from 'tap'
import { logIn } from '../support/gateway-process.js'
import { attack, head, startWire, valuesOf } from '../support/wire.js'

const wire = await startWire(t)
const { upstream } = wire
const { access_token: token } = await logIn(wire.url)
const bearer = `Authorization: Bearer ${token}`
const MADE = [
  'X-Forwarded-For',
  'X-Forwarded-Host',
  'X-Forwarded-Port',
  'X-Forwarded-Proto',
  'X-Real-IP',
  'Forwarded',
  'X-Forwarded-User',
]

/** The request for `/mine` with these headers, as the upstream saw it. */
async function seen(t: Parameters<typeof attack>[0], ...lines: string[]) {
  await attack(t, wire, { it: head('GET /mine HTTP/1.1', 'Host: x', bearer, ...lines) })
  return upstream.requests.at(-1)!
}

t.test(
  'CVE-2021-32813, GHSA-m697-4v8f-55qg · CVE-2024-45410, GHSA-62c8-mh53-4cqv: Connection removed the proxy’s own headers',
  async (t) => {
    const received = await seen(t, `Connection: close, ${MADE.join(', ')}`)
    for (const name of MADE) t.equal(valuesOf(received, name).length, 1, name)
  },
)

t.test('CVE-2026-29054, GHSA-92mv-8f8w-wq52: the same in lower case, after the first fix', async (t) => {
  for (const list of [
    MADE.join(',').toLowerCase(),
    MADE.join(' ,\t').toUpperCase(),
    MADE.map((name) => `,${name},`).join(),
  ]) {
    const received = await seen(t, `Connection: close,${list}`)
    for (const name of MADE) t.equal(valuesOf(received, name).length, 1, `${list}: ${name}`)
  }
})

t.test(
  'CVE-2020-15129, GHSA-6qq8-5wq3-86rp · CVE-2024-52003, GHSA-h924-8g65-j9wg · CVE-2026-35051, GHSA-6384-m2mw-rf54: X-Forwarded-Prefix came from the client',
  async (t) => {
    const received = await seen(
      t,
      'X-Forwarded-Prefix: //evil.example',
      'X_Forwarded_Prefix: /evil',
      'Connection: close',
    )
    t.strictSame(valuesOf(received, 'X-Forwarded-Prefix'), [])
  },
)

t.test(
  'CVE-2026-39858, GHSA-5m6w-wvh7-57vm: forwarded headers with underscores weren’t recognised',
  async (t) => {
    const lines = [
      'X_Forwarded_Proto: https',
      'X_Forwarded_Host: trusted.example',
      'X_Forwarded_For: 10.0.0.1',
      'X_Real_IP: 10.0.0.1',
    ]
    const received = await seen(t, ...lines, 'Connection: close')
    t.notMatch(received.bytes, /https|trusted|10\.0\.0\.1/)
  },
)

t.test(
  'CVE-2026-54764, GHSA-3q9r-p662-5j8m: the forwarded port followed an untrusted forwarded protocol',
  async (t) => {
    const received = await seen(t, 'X-Forwarded-Proto: https', 'X-Forwarded-Port: 443', 'Connection: close')
    t.strictSame(valuesOf(received, 'X-Forwarded-Port'), ['80'])
    t.strictSame(valuesOf(received, 'X-Forwarded-Proto'), ['http'])
  },
)

t.test(
  'CVE-2026-33433, GHSA-qr99-7898-vr7c: an identity header in unusual letter case stayed beside the real one',
  async (t) => {
    const odd = await startWire(t, { identity: { headers: { 'x-aUTH-uSER': 'sub' } } })
    const { access_token } = await logIn(odd.url)
    const spoofed = ['X-Auth-User: root', 'x-auth-user: root', 'X-AUTH-USER: root', 'x-aUTH-uSER: root']
    const lines = ['Host: x', ...spoofed, `Authorization: Bearer ${access_token}`, 'Connection: close']
    await attack(t, odd, { odd: head('GET /mine HTTP/1.1', ...lines) })
    t.strictSame(valuesOf(odd.upstream.requests.at(-1)!, 'X-Auth-User'), ['ada'])
  },
)

t.test('CVE-2026-54763, GHSA-x677-9fxg-v5c5: the same with underscores', async (t) => {
  const received = await seen(t, 'X_Forwarded_User: root', 'x_forwarded-user: root', 'Connection: close')
  t.strictSame(valuesOf(received, 'X-Forwarded-User'), ['ada'])
})

t.test('CVE-2026-88011, GHSA-rf44-j88r-hh8c: the same with dots', async (t) => {
  const received = await seen(
    t,
    'X.Forwarded.User: root',
    'X-Forwarded.User: root',
    'X.Forwarded_User: root',
    'Connection: close',
  )
  t.strictSame(valuesOf(received, 'X-Forwarded-User'), ['ada'])
})

t.test('CVE-2026-88004, GHSA-v67p-phpq-fc8x: the same in trailers', async (t) => {
  const trailers = [
    'X-Forwarded-User: root',
    'X_Forwarded_User: root',
    'X-Forwarded-Prefix: /evil',
    'Authorization: Bearer evil',
  ]
  const lines = [
    'Host: x',
    bearer,
    'Transfer-Encoding: chunked',
    'Trailer: X-Forwarded-User',
    'TE: trailers',
    'Connection: close',
  ]
  const bytes = head('POST /mine HTTP/1.1', ...lines) + `2\r\nhi\r\n0\r\n${trailers.join('\r\n')}\r\n\r\n`
  const { trailed } = await attack(t, wire, { trailed: bytes })
  t.strictSame(trailed?.statuses, [200])
  const received = upstream.requests.at(-1)!
  t.equal(received.body, 'hi')
  t.notMatch(received.bytes, /\broot\b|\bevil\b|trailer/i)
})

t.test(
  'CVE-2026-88008, GHSA-w4v4-9rw7-5326: Upgrade: h2c was passed on, and the 101 opened a tunnel around every rule',
  async (t) => {
    for (const connection of ['Upgrade, HTTP2-Settings', 'Upgrade', 'HTTP2-Settings']) {
      const received = await seen(
        t,
        `Connection: ${connection}`,
        'Upgrade: h2c',
        'HTTP2-Settings: AAMAAABkAAQAAP__',
      )
      t.notMatch(received.bytes, /upgrade|http2-settings|\bh2c\b/i, connection)
    }
  },
)

t.test(
  'CVE-2026-41181, GHSA-p6hg-qh38-555r: credentials were passed on to a server without need',
  async (t) => {
    const cookie = 'Cookie: __Secure-refresh=secret; legacy=1'
    const received = await seen(t, cookie, 'Proxy-Authorization: Basic secret', 'Connection: close')
    t.notOk(received.bytes.includes(token), 'the accepted token')
    t.notMatch(received.bytes, 'secret')
  },
)
