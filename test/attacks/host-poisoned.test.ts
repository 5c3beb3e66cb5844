/**
 * A Host, or what claims to be one, that the gateway might repeat: in a redirect, a link, a challenge, a cookie, a
 * problem.
 */
import t from 'tap'
import { USERS, logIn } from '../support/gateway-process.js'
import { head, startWire } from '../support/wire.js'

const wire = await startWire(t)
const { access_token: token } = await logIn(wire.url)
const login = JSON.stringify({ username: 'ada', password: USERS.ada })
const POISON = [
  'X-Forwarded-Host: evil.example',
  'X-Host: evil.example',
  'X-Forwarded-Server: evil.example',
  'X-HTTP-Host-Override: evil.example',
  'X-Original-Host: evil.example',
  'X-Forwarded-Prefix: //evil.example',
  'X-Forwarded-Proto: evil.example',
  'Forwarded: host=evil.example;proto=evil.example',
  'Referer: https://evil.example/',
  'Origin: https://evil.example',
]

/** Requests that the gateway answers by itself, in every way that there is. */
const REQUESTS: Record<string, [line: string, headers: string[], body?: string]> = {
  'a login': ['POST /auth/login', ['Content-Type: application/json'], login],
  'a failed login': [
    'POST /auth/login',
    ['Content-Type: application/json'],
    '{"username":"x","password":"y"}',
  ],
  'no credentials': ['GET /guarded', []],
  'a bad token': ['GET /guarded', ['Authorization: Bearer x']],
  'who am I': ['GET /auth/me', [`Authorization: Bearer ${token}`]],
  sessions: ['GET /auth/sessions', [`Authorization: Bearer ${token}`]],
  'the keys': ['GET /.well-known/jwks.json', []],
  'the metadata': ['GET /.well-known/oauth-authorization-server', []],
  'not found': ['GET /auth/none', []],
  'without a slash at the end': ['GET /auth', []],
  'with one': ['GET /auth/login/', []],
  health: ['GET /healthz', []],
  readiness: ['GET /readyz', []],
  'a refused target': ['GET //evil.example/..', []],
  'a refused target with a path': ['GET /\\evil.example', []],
  'a wrong method': ['DELETE /auth/login', []],
  'a preflight': ['OPTIONS /auth/login', ['Access-Control-Request-Method: POST']],
  'a logout': ['POST /auth/logout', ['Authorization: Bearer x']],
  next: ['GET /auth/login?next=//evil.example&redirect_uri=https://evil.example&rd=//evil.example', []],
}

t.test('no response of the gateway repeats it', async (t) => {
  for (const host of ['evil.example', 'evil.example:444', 'x']) {
    const lines = host === 'x' ? [`Host: ${host}`, ...POISON] : [`Host: ${host}`]
    const answers = await Promise.all(
      Object.entries(REQUESTS).map(async ([name, [line, headers, body = '']]) => {
        const length = body === '' ? [] : [`Content-Length: ${body.length}`]
        const bytes = head(`${line} HTTP/1.1`, ...lines, ...headers, ...length, 'Connection: close') + body
        return [name, await wire.send(bytes)] as const
      }),
    )
    for (const [name, { statuses, text }] of answers) {
      t.equal(statuses.length, 1, name)
      t.notMatch(text, /evil\.example/i, `${name} (Host: ${host})`)
      t.notMatch(text, /^location:/im, `${name}: no redirect`)
      t.ok(statuses[0]! < 300 || statuses[0]! >= 400, `${name}: ${statuses[0]}`)
    }
  }
  t.strictSame(wire.upstream.requests, [])
})

t.test('a Host that could break out of a header or a page is refused', async (t) => {
  for (const host of [
    'evil.example/x',
    'evil.example?x',
    'evil.example#x',
    'x@evil.example',
    '"evil.example"',
    '<evil>',
    'evil.example, x',
    'evil example',
    "evil'",
    'evil.example;x',
    'evil.example\\x',
    '[evil',
    'evil:port',
    '\xe9vil.example',
    '%65vil.example',
  ]) {
    const { statuses, text } = await wire.send(
      head('GET /open HTTP/1.1', `Host: ${host}`, 'Connection: close'),
    )
    t.strictSame(statuses, [400], host)
    t.notMatch(text, /vil/i, host)
  }
  t.strictSame(wire.upstream.requests, [])
})

t.test('with host: upstream, the upstream gets its own Host', async (t) => {
  const routes = [{ path: '/', upstream: wire.upstream.url, auth: 'none', host: 'upstream' }]
  const own = await startWire(t, { routes })
  await own.send(head('GET /open HTTP/1.1', 'Host: evil.example', 'Connection: close'))
  const { headers } = wire.upstream.requests.at(-1)!
  t.strictSame(
    headers.filter(([name]) => /^host$/i.test(name)).map(([, value]) => value),
    [new URL(wire.upstream.url).host],
  )
})
