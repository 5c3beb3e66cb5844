/** Requests that try to find out whether a hidden route exists, without access to it. */
import t from 'tap'
import {
  call,
  expired,
  home,
  isRefused,
  logIn,
  logInByCookies,
  startGateway,
  startUpstream,
} from '../support/gateway-process.js'
import { ASKS } from '../support/websocket-handshakes.js'
import { LOW_LIMITS, head, send } from '../support/wire.js'

const directory = await home(t)
const upstream = await startUpstream(t)
const LAX = ['encoded-slash', 'semicolon', 'double-slash', 'encoded-percent'] as const

/** Starts a gateway with the hidden routes, and one without them. */
async function startPair(hidden: readonly object[]) {
  const start = (routes: readonly object[]) =>
    startGateway(
      t,
      {
        listen: { host: '127.0.0.1', port: 0, trustProxy: ['127.0.0.1'] },
        cors: { origins: ['https://app.example'] },
        accept: { from: ['header', 'cookie', 'query', 'x-access-token'] },
        limits: { ...LOW_LIMITS, upgrades: 1 },
        routes: [{ path: '/open', upstream: upstream.url, auth: 'none', targetAllow: LAX }, ...routes],
      },
      directory,
    )
  const shared = { upstream: upstream.url, hidden: true }
  return { with: await start(hidden.map((route) => ({ ...shared, ...route }))), without: await start([]) }
}

const pair = await startPair([
  { path: '/hidden', scope: ['admin'], targetAllow: LAX, rateLimit: { max: 5, by: 'address' } },
  { path: '/strict', methods: ['GET', 'POST'], caseSensitive: false, limits: { body: '1kb' } },
  { path: '/by-host', hosts: ['secret.example'], targetAllow: LAX },
  { path: '/checked-only', upstream: undefined },
])
const url = pair.with.url
const { access_token: token } = await logIn(url)
const { access_token: ended } = await logIn(url)
await call(url, 'POST', '/auth/logout', { token: ended })
const cookies = await logInByCookies(url)
const cookie = `Cookie: __Host-access=${cookies['__Host-access']}`
const old = await expired(directory, token)

/** Returns all bytes of the response, without its time and its request id. */
async function bytesOf(server: { url: string }, request: string): Promise<string> {
  const { text, end } = await send(Number(new URL(server.url).port), request)
  const [id = ''] = text.match(/"request_id":"[^"]+"/) ?? []
  return `${text
    .replace(id, '')
    .replace(/^date: .*$/gim, '')
    // A request id has one digit more after 35 requests.
    .replace(
      /^content-length: (\d+)$/gim,
      (_, length: string) => `length: ${Number(length) - id.length}`,
    )} ${end}`
}

const CREDENTIALS: readonly (readonly [string, ...string[]])[] = [
  ['no token'],
  ['a malformed token', 'Authorization: Bearer x'],
  ['an empty token', 'Authorization: Bearer '],
  ['an expired token', `Authorization: Bearer ${old}`],
  ['a token of an ended session', `Authorization: Bearer ${ended}`],
  ['a wrong signature', `Authorization: Bearer ${token.slice(0, -8)}AAAAAAAA`],
  ['two headers', `Authorization: Bearer ${ended}`, `Authorization: Bearer ${token}`],
  ['two transports', `Authorization: Bearer ${ended}`, `X-Access-Token: ${token}`],
  ['two cookies', `${cookie}; __Host-access=${ended}`],
  ['another site', cookie, 'Origin: https://evil.example', 'Sec-Fetch-Site: cross-site'],
  ['a listed origin', 'Origin: https://app.example'],
  ['a page', 'Accept: text/html', 'Sec-Fetch-Mode: navigate'],
]

const preflight = ['Origin: https://app.example', 'Access-Control-Request-Method: POST']
/** A method, more headers, and a body. */
const FORMS: readonly (readonly [method: string, headers: readonly string[], body?: string])[] = [
  ['GET', []],
  ['HEAD', []],
  ['POST', ['Content-Length: 3', 'Content-Type: application/json'], 'x=1'],
  ['POST', ['Content-Length: 3', 'Content-Type: ;;'], 'x=1'],
  ['PUT', ['Transfer-Encoding: chunked'], '3\r\nx=1\r\n0\r\n\r\n'],
  ['POST', ['Content-Length: 99999999']],
  ['POST', ['Content-Length: 2000', 'Expect: 100-continue']],
  ['POST', ['Content-Length: 99999999', 'Expect: 100-continue']],
  ['GET', ['Expect: 200-ok']],
  ['OPTIONS', []],
  ['OPTIONS', preflight],
  ['OPTIONS', ['Access-Control-Request-Method: POST', 'Origin: https://evil.example']],
  ['DELETE', []],
  ['TRACE', []],
  ['PROPFIND', []],
  ['GET', [...ASKS, 'Sec-WebSocket-Version: 13']],
  ['GET', [...ASKS, 'Sec-WebSocket-Version: 13', 'Origin: https://evil.example']],
  ['GET', ['Upgrade: websocket', 'Connection: Upgrade, close', 'Sec-WebSocket-Key: short']],
  ['GET', ['Upgrade: h2c', 'Connection: Upgrade, close']],
  ['GET', ['Range: bytes=0-1', 'If-None-Match: *', 'Max-Forwards: 0', 'CDN-Loop: portcullis-0']],
]

const TARGETS = [
  '/hidden',
  '/hidden/a/b?c=d',
  '/hidden?access_token=x',
  '/hidden/%2fa',
  '/hidden//a',
  '/hidden;a=b',
  '/hidden/../open',
  '/HIDDEN',
  '/hidden.',
  '/hidden%20',
  '/Hidden//a',
  '/strict',
  '/Strict',
  '/strict;a',
  '/%73trict',
  '/checked-only',
]

const request = (method: string, target: string, headers: readonly string[], body = '', host = 'x') =>
  head(
    `${method} ${target} HTTP/1.1`,
    `Host: ${host}`,
    ...(headers.some((line) => /^connection:/i.test(line)) ? [] : ['Connection: close']),
    ...headers,
  ) + body

for (const [method, headers, body] of FORMS) {
  t.test(
    `${method} with ${headers.join(', ') || 'no more headers'} gets the bytes of an unknown path`,
    async (t) => {
      for (const [name, ...credentials] of CREDENTIALS) {
        if (method === 'OPTIONS' && name === 'a listed origin') continue
        for (const target of TARGETS.slice(0, name === 'no token' ? TARGETS.length : 2)) {
          const bytes = request(method, target, [...headers, ...credentials], body)
          const [shown, expected] = await Promise.all([
            bytesOf(pair.with, bytes),
            bytesOf(pair.without, bytes),
          ])
          t.equal(shown, expected, `${target} with ${name}`)
          t.notMatch(shown, /^(?:allow|www-authenticate|set-cookie|location|retry-after):/im)
        }
      }
    },
  )
}

t.test('a token without the scope gets the bytes of an unknown path', async (t) => {
  for (const credentials of [`Authorization: Bearer ${token}`, `X-Access-Token: ${token}`, cookie]) {
    for (const [method, headers, body] of FORMS) {
      const bytes = request(method, '/hidden', [...headers, credentials], body)
      t.equal(await bytesOf(pair.with, bytes), await bytesOf(pair.without, bytes), method)
    }
  }
})

t.test('two hosts that lead to different routes don’t reveal the hidden one', async (t) => {
  for (const [host, reported] of [
    ['secret.example', 'other.example'],
    ['other.example', 'secret.example'],
    ['secret.example', 'secret.example'],
  ] as const) {
    for (const target of ['/by-host', '/By-Host', '/by-host//a']) {
      const bytes = request('GET', target, [`X-Forwarded-Host: ${reported}`], '', host)
      t.equal(await bytesOf(pair.with, bytes), await bytesOf(pair.without, bytes), `${host}, ${reported}`)
    }
  }
})

t.test('a good token passes, and the errors that it gets are true ones', async (t) => {
  const before = upstream.seen.length
  t.equal(
    (await call(url, 'GET', '/strict', { token, headers: { 'x-forwarded-for': '192.0.2.9' } })).status,
    200,
  )
  t.equal(upstream.seen.length, before + 1)
  const large = await call(url, 'POST', '/strict', { token, body: 'x'.repeat(2_000) })
  isRefused(t, large, 413, 'body_too_large')
})
