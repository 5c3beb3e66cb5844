/** A client says by forwarding headers where it comes from; it isn't one of `listen.trustProxy`, or there are none. */
import t from 'tap'
import { logIn } from '../support/gateway-process.js'
import { attack, head, startRecorder, startWire, valuesOf } from '../support/wire.js'

const upstream = await startRecorder(t)
const routes = [
  { path: '/open', upstream: upstream.url, auth: 'none' },
  { path: '/', upstream: upstream.url },
]
const nobody = { ...(await startWire(t, { routes })), upstream }
const trustProxy = ['192.0.2.0/24', '2001:db8::/32']
const others = {
  ...(await startWire(t, { routes, listen: { host: '127.0.0.1', port: 0, trustProxy } })),
  upstream,
}

const LIES = [
  'X-Forwarded-For: 6.6.6.6',
  'X-Forwarded-For: 127.0.0.1, 192.0.2.1',
  'X-Forwarded-Proto: https',
  'X-Forwarded-Host: evil.example',
  'X-Forwarded-Port: 666',
  'X-Forwarded-Server: evil.example',
  'X-Forwarded-Prefix: /evil',
  'X-Forwarded-Uri: /evil',
  'X-Forwarded-Method: DELETE',
  'X-Forwarded-Scheme: evil',
  'X-Forwarded-Ssl: evil',
  'X-Forwarded-Path: /evil',
  'X-Forwarded-Client-Cert: Subject="CN=evil"',
  'X-Forwarded: for=6.6.6.6',
  'Forwarded: for=6.6.6.6;host=evil.example;proto=https',
  'Forwarded: for="[2001:db8::1]", for=6.6.6.6',
  'X-Real-IP: 6.6.6.6',
  'X-Original-URL: /evil',
  'X-Original-URI: /evil',
  'X-Original-Method: DELETE',
  'X-Original-Host: evil.example',
  'X-Original-Forwarded-For: 6.6.6.6',
  'X-Rewrite-URL: /evil',
  'X-Rewrite-Uri: /evil',
  ...`True-Client-IP Client-IP X-Client-IP X-Cluster-Client-IP CF-Connecting-IP CF-Connecting-IPv6 Fastly-Client-IP
    X-Azure-ClientIP X-Azure-SocketIP X-ProxyUser-Ip WL-Proxy-Client-IP X-Originating-IP`
    .split(/\s+/)
    .map((name) => `${name}: 6.6.6.6`),
  'X-Host: evil.example',
  'X-HTTP-Host-Override: evil.example',
  'Front-End-Https: evil',
  'X-Url-Scheme: evil',
  'X-Scheme: evil',
  'WL-Proxy-SSL: evil',
  'X-Sendfile-Type: X-Accel-Redirect, evil',
  'X-Accel-Mapping: /=/evil/',
  'Proxy: http://evil.example',
  'Proxy-Connection: keep-alive, evil',
  'Proxy-Authorization: Basic evil',
]
const ALIASES = LIES.flatMap((line) => {
  const [name = '', ...rest] = line.split(':')
  return ['_', '.'].map((as) => `${name.replaceAll('-', as)}:${rest.join(':')}`)
})
// Bounded, because the gateway adds an id of random hexadecimal digits and a session id.
const evil = /\bevil\b|6\.6\.6\.6|\b666\b|2001:db8|192\.0\.2|https/i

t.test('none of it arrives on any route, only the gateway’s own values', async (t) => {
  for (const wire of [nobody, others]) {
    const { access_token: token } = await logIn(wire.url)
    for (const [path, lines] of [
      ['/open', []],
      ['/mine', [`Authorization: Bearer ${token}`]],
    ] as const) {
      for (const lies of [LIES, ALIASES, LIES.map((line) => line.toUpperCase())]) {
        await attack(t, wire, {
          lies: head(`GET ${path} HTTP/1.1`, 'Host: api.example', ...lies, ...lines, 'Connection: close'),
        })
        const received = upstream.requests.at(-1)!
        t.notMatch(received.bytes, evil)
        for (const [name, value] of [
          ['X-Forwarded-For', '127.0.0.1'],
          ['X-Forwarded-Proto', 'http'],
          ['X-Forwarded-Host', 'api.example'],
          ['X-Forwarded-Port', '80'],
          ['X-Real-IP', '127.0.0.1'],
          ['Forwarded', 'for=127.0.0.1;proto=http;host=api.example'],
        ] as const) {
          t.strictSame(valuesOf(received, name), [value], name)
        }
      }
    }
  }
})

t.test('it opens no route, changes no target, and isn’t treated as the gateway’s own request', async (t) => {
  upstream.requests.length = 0
  for (const wire of [nobody, others]) {
    for (const line of [...LIES, ...ALIASES]) {
      const answer = await wire.send(
        head(
          'GET /guarded HTTP/1.1',
          'Host: x',
          line.replace(/evil(?!\.)|:\/evil/, 'open'),
          'Connection: close',
        ),
      )
      t.strictSame(answer.statuses, [401], line)
    }
  }
  t.strictSame(upstream.requests, [])
})

t.test('an Origin that equals a spoofed X-Forwarded-Host is refused as foreign', async (t) => {
  const { access_token: token } = await logIn(nobody.url)
  const lines = [
    `Cookie: __Host-access=${token}`,
    'Origin: https://evil.example',
    'Content-Length: 0',
    'Connection: close',
  ]
  for (const lie of [
    'X-Forwarded-Host: evil.example',
    'Forwarded: host=evil.example',
    'X-Original-Host: evil.example',
  ]) {
    const answer = await nobody.send(head('POST /mine HTTP/1.1', 'Host: x', lie, ...lines))
    t.strictSame(answer.statuses, [403], lie)
  }
  t.strictSame(upstream.requests, [])
})

t.test('login attempts count for the real address, however many are claimed', async (t) => {
  const rateLimit = {
    login: { perAddress: { failures: 3, per: '15m' }, perAccount: { failures: 100, per: '15m' } },
  }
  const wire = await startWire(t, { routes, rateLimit })
  const statuses = []
  for (let n = 0; n < 5; n++) {
    const body = JSON.stringify({ username: `nobody${n}`, password: 'x' })
    const lies = [`X-Forwarded-For: 10.0.0.${n}`, `X-Real-IP: 10.0.0.${n}`, `Forwarded: for=10.0.0.${n}`]
    const lines = [
      ...lies,
      'Content-Type: application/json',
      `Content-Length: ${body.length}`,
      'Connection: close',
    ]
    statuses.push(
      ...(await wire.send(head('POST /auth/login HTTP/1.1', 'Host: x', ...lines) + body)).statuses,
    )
  }
  t.strictSame(statuses, [401, 401, 401, 429, 429])
})
