/** What holds for an application behind a real proxy that asks two gateways, whichever proxy it is. */
import type { Test } from 'tap'
import { createServer } from 'node:http'
import type { Answer, CallOptions } from '../support/gateway-process.js'
import { USERS, call, cookiesOf, home, logIn, serveGateway } from '../support/gateway-process.js'
import { head, send } from '../support/wire.js'
import { listen } from '../support/forwarding.js'
import { cleanUp, redisUrl, uniquePrefix } from '../support/redis.js'
import type { StartProxy } from '../support/forward-auth-proxies.js'

interface Seen {
  readonly method: string
  readonly target: string
  readonly rawHeaders: readonly string[]
  readonly body: string
}

export interface FrontContract {
  readonly start: StartProxy
  /** What the client gets where Portcullis answers this. */
  readonly statusFor: (status: number) => number
  /** Where a browser is sent that opens the target without a login. */
  readonly loginFor: (target: string) => string
}

const ROUTES = [
  { path: '/public', auth: 'none' },
  { path: '/news', methods: ['GET'], auth: 'none' },
  { path: '/maybe', auth: 'optional' },
  { path: '/admin', scope: ['admin'] },
  { path: '/private' },
]
const FOREIGN = { origin: 'https://evil.example' }

export async function frontContract(t: Test, { start, statusFor, loginFor }: FrontContract): Promise<void> {
  const keyPrefix = uniquePrefix()
  cleanUp(t, keyPrefix)
  const directory = await home(t)
  const settings = {
    store: redisUrl(),
    keyPrefix,
    listen: { host: '127.0.0.1', port: 0, trustProxy: ['127.0.0.1'] },
    login: { users: `${directory}/users.htpasswd`, page: '/login' },
    log: { level: 'info', requests: true },
    routes: ROUTES,
  }
  const [here, there] = await Promise.all([
    serveGateway(t, settings, directory),
    serveGateway(t, settings, directory),
  ])
  const app = await startApp(t)
  const front = await start(t, { gateways: [here.url, there.url], app: app.url })
  const port = Number(new URL(front).port)
  const ask = (method: string, path: string, options?: CallOptions) => call(front, method, path, options)
  const { seen } = app

  /** The upstream has seen nothing of it. */
  async function isKeptOut(t: Test, answer: Promise<Answer>, status: number, what = ''): Promise<void> {
    const before = seen.length
    t.equal((await answer).status, statusFor(status), what)
    t.equal(seen.length, before, 'the application saw nothing')
  }

  /** What the application saw of a request that passed. */
  async function passes(t: Test, answer: Promise<Answer>, what = ''): Promise<Seen> {
    const before = seen.length
    const { status, text } = await answer
    t.strictSame([status, text, seen.length], [200, 'from the application', before + 1], what)
    return seen.at(-1)!
  }

  await t.test('a valid token passes, the target unchanged, and the identity arrives', async (t) => {
    const { access_token: token, session_id } = await logIn(front)
    const target = '/private/%61?b=c&d=%2Fe&f'
    const json = { some: 'body' }
    const received = await passes(t, ask('POST', target, { token, json }))
    t.match(received, { method: 'POST', target, body: JSON.stringify(json) })
    t.strictSame(valuesOf(received, 'x-forwarded-user'), ['ada'])
    t.strictSame(valuesOf(received, 'x-auth-request-session'), [session_id])
    t.strictSame(valuesOf(received, 'authorization'), [], 'the token has done its work')
  })

  await t.test('without a valid token: 401 with a challenge', async (t) => {
    const none = ask('GET', '/private')
    await isKeptOut(t, none, 401)
    t.equal((await none).headers['www-authenticate'], 'Bearer realm="portcullis"')
    const bad = ask('GET', '/private', { token: 'a.b.c' })
    await isKeptOut(t, bad, 401)
    t.match((await bad).headers['www-authenticate'], /^Bearer realm="portcullis", error="invalid_token"/)
    await isKeptOut(t, ask('GET', '/maybe', { token: 'a.b.c' }), 401, 'also where none is needed')
  })

  await t.test('the route table decides by the original method and path', async (t) => {
    const { access_token: token } = await logIn(front)
    for (const path of ['/public', '/maybe', '/news?x']) await passes(t, ask('GET', path), path)
    t.equal((await ask('HEAD', '/news')).status, 200)
    await isKeptOut(t, ask('POST', '/news'), 404, 'no route has it')
    await isKeptOut(t, ask('GET', '/unknown', { token }), 404)
    await isKeptOut(t, ask('GET', '/publicity', { token }), 404)
    await isKeptOut(t, ask('GET', '/admin', { token }), 403)
  })

  await t.test('a logout on one gateway takes effect everywhere at once', async (t) => {
    const [token, other] = [(await logIn(front)).access_token, (await logIn(front)).access_token]
    for (let i = 0; i < 4; i++) await passes(t, ask('GET', '/private', { token }))
    const checks = () => [here, there].map((gateway) => checksOf(gateway.records()))
    const before = checks()
    t.equal((await call(here.url, 'POST', '/auth/logout', { token })).status, 204)
    for (let i = 0; i < 20; i++) await isKeptOut(t, ask('GET', '/private', { token }), 401)
    await passes(t, ask('GET', '/private', { token: other }), 'other sessions live')
    const asked = checks().map((count, i) => count - before[i]!)
    t.ok(Math.min(...asked) >= 5, `both gateways were asked: ${asked.join(' and ')}`)
  })

  await t.test('no header of the client changes the request or the identity', async (t) => {
    const { access_token: token, session_id } = await logIn(front)
    const lies = lyingHeaders()
    for (const [name, value] of lies) {
      await isKeptOut(t, ask('GET', '/private', { headers: { [name]: value } }), 401, `${name}: ${value}`)
      await isKeptOut(t, ask('GET', '/admin', { token, headers: { [name]: value } }), 403, name)
    }
    const all = lies.map(([name, value]) => `${name}: ${value}`)
    const twice = [...all, ...all, `Connection: close, ${lies.map(([name]) => name).join(', ')}`]
    for (const [path, credentials, identity] of [
      ['/private', [`Authorization: Bearer ${token}`], [['ada'], [session_id]]],
      ['/maybe', [], [[], []]],
      ['/public', [`Authorization: Bearer ${token}`], [[], []]],
    ] as const) {
      const sent = await send(port, head(`GET ${path} HTTP/1.1`, 'Host: x', ...credentials, ...twice))
      t.strictSame(sent.statuses, [200], path)
      const received = seen.at(-1)!
      t.equal(received.target, path)
      const named = ['x-forwarded-user', 'x-auth-request-session'].map((name) => valuesOf(received, name))
      t.strictSame(named, identity, path)
      for (const name of ['x-http-method-override', 'x-http-method', 'x-method-override', 'x-original-url'])
        t.strictSame(valuesOf(received, name), [], name)
    }
    const before = seen.length
    for (const path of ['/private', '/admin', '/unknown']) {
      const sent = await send(port, head(`GET ${path} HTTP/1.1`, 'Host: x', ...twice))
      t.not(sent.statuses[0], 200, path)
    }
    t.equal(seen.length, before, 'the application saw none of these')
  })

  await t.test('no spelling of a path is checked as one path and served as another', async (t) => {
    for (const target of [
      '/public/../private',
      '/public/%2e%2e/private',
      '/public/..%2fprivate',
      '/public%2f..%2fprivate',
      '/public/..;/private',
      '/public\\..\\private',
      '//public/../private',
      '/public/%252e%252e/private',
      '/public/%c0%ae%c0%ae/private',
      '/public#/../private',
      'http://x/private',
      '/%70rivate',
    ]) {
      const before = seen.length
      const { statuses } = await send(port, head(`GET ${target} HTTP/1.1`, 'Host: x', 'Connection: close'))
      t.not(statuses[0], 200, target)
      t.equal(seen.length, before, target)
    }
  })

  await t.test('a cookie counts only for requests that another site can’t cause', async (t) => {
    const json = { username: 'ada', password: USERS.ada, cookies: true }
    const login = await ask('POST', '/auth/login', { json, headers: { origin: front } })
    const cookies = cookiesOf(login.setCookie)
    await isKeptOut(t, ask('POST', '/private', { cookies, headers: FOREIGN }), 403)
    await isKeptOut(t, ask('DELETE', '/private', { cookies }), 403)
    const forged = { ...FOREIGN, 'x-forwarded-host': 'evil.example', 'x-forwarded-method': 'GET' }
    await isKeptOut(t, ask('POST', '/private', { cookies, headers: forged }), 403)
    const received = await passes(t, ask('POST', '/private', { cookies, headers: { origin: front } }))
    t.notMatch(
      valuesOf(received, 'cookie').join(),
      /access/,
      'our cookie is no business of the application’s',
    )
    await passes(t, ask('GET', '/private', { cookies, headers: FOREIGN }), 'as links must work')
    const own = await passes(t, ask('GET', '/private', { cookies: { a: '1', ...cookies, b: '2' } }))
    t.match(valuesOf(own, 'cookie').join(), /a=1;.*b=2/, 'its own cookies come through')
  })

  await t.test(
    'a WebSocket goes through the same check, and other sites can’t open one by cookie',
    async (t) => {
      const { access_token: token } = await logIn(front)
      const handshake = (...headers: string[]) =>
        head(
          'GET /private/socket HTTP/1.1',
          'Host: x',
          'Connection: Upgrade',
          'Upgrade: websocket',
          'Sec-WebSocket-Version: 13',
          'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
          ...headers,
        )
      const { text, statuses } = await send(port, handshake(`Authorization: Bearer ${token}`))
      t.strictSame(statuses, [101], 'it was opened')
      t.match(text, /hello ada$/, 'by whom, the application knows')
      for (const headers of [
        [],
        [`Cookie: __Host-access=${token}`, 'Origin: https://evil.example'],
        [`Cookie: __Host-access=${token}`],
      ]) {
        const status = headers.length === 0 ? 401 : 403
        const refused = await send(
          port,
          handshake(...headers, 'X-Forwarded-User: ada') + head('GET / HTTP/1.1'),
        )
        t.equal(refused.statuses[0], status, headers.join())
      }
      const cookie = [`Cookie: __Host-access=${token}`, 'Origin: http://x']
      t.strictSame((await send(port, handshake(...cookie))).statuses, [101])
    },
  )

  await t.test('a browser that opens a page is redirected to the login page', async (t) => {
    const accept = { accept: 'text/html,application/xhtml+xml' }
    for (const target of ['/private', '/private/a?b=1&c=%2F']) {
      const { status, headers } = await ask('GET', target, { headers: accept })
      t.strictSame([status, headers['location']], [302, loginFor(target)])
    }
    await isKeptOut(t, ask('POST', '/private', { headers: accept }), 401, 'not what changes something')
    await isKeptOut(t, ask('GET', '/private', { headers: { accept: '*/*' } }), 401, 'nor what a program asks')
  })

  await t.test('clients can’t reach the check', async (t) => {
    const { access_token: token } = await logIn(front)
    for (const path of ['/auth/verify', '/auth/verify/public', '/auth/%76erify', '/_portcullis']) {
      const { status } = await ask('GET', path, { token })
      t.equal(status >= 400, true, `${path}: ${status}`)
    }
  })
}

/** An application that remembers what it was asked, and opens any WebSocket to greet and close it. */
async function startApp(t: Test) {
  const seen: Seen[] = []
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += String(chunk)
    seen.push({ method: request.method!, target: request.url!, rawHeaders: request.rawHeaders, body })
    response.end('from the application')
  })
  server.on('upgrade', (request, socket) => {
    socket.end(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
        `Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nhello ${String(request.headers['x-forwarded-user'])}`,
    )
  })
  return { url: `http://127.0.0.1:${await listen(t, server)}`, seen }
}

/** What an attacker may say about a request, or about who he is, in every spelling that some server takes for it. */
function lyingHeaders(): (readonly [name: string, value: string])[] {
  const told = {
    'X-Original-URI': '/public',
    'X-Original-URL': '/public',
    'X-Original-Method': 'GET',
    'X-Forwarded-Uri': '/public',
    'X-Forwarded-Method': 'GET',
    'X-Forwarded-Host': 'evil.example',
    'X-Rewrite-URL': '/public',
    'X-HTTP-Method-Override': 'DELETE',
    'X-HTTP-Method': 'DELETE',
    'X-Method-Override': 'DELETE',
    'X-Forwarded-User': 'mallory',
    'X-Auth-Request-Session': 'mallory',
  }
  return Object.entries(told).flatMap(([name, value]) =>
    [name, name.replaceAll('-', '_'), name.replaceAll('-', '.'), name.toLowerCase()].map(
      (spelt) => [spelt, value] as const,
    ),
  )
}

/** The values that a request has under a name, however that is spelt. */
function valuesOf({ rawHeaders }: Seen, name: string): string[] {
  const flat = (text: string) => text.toLowerCase().replaceAll(/[_.]/g, '-')
  return rawHeaders.filter((_, at) => at % 2 === 1 && flat(rawHeaders[at - 1]!) === name)
}

function checksOf(records: readonly Record<string, unknown>[]): number {
  return records.filter(({ path }) => path === '/auth/verify').length
}
