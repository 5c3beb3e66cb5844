/** The real process: its start and its end, its ports, its log. */
import { createServer } from 'node:http'
import t from 'tap'
import { listen } from '../support/forwarding.js'
import {
  USERS,
  call,
  home,
  isRefused,
  logIn,
  serveGateway,
  soon,
  startBlog,
} from '../support/gateway-process.js'

t.test('SIGTERM lets an open request finish, accepts no new connection, and exits 0', async (t) => {
  let finish: (() => void) | undefined
  const slow = createServer((_request, response) => {
    response.write('begun, ')
    finish = () => response.end('finished')
  })
  const upstream = `http://127.0.0.1:${await listen(t, slow)}`
  const gateway = await serveGateway(t, { routes: [{ path: '/', upstream, auth: 'none' }] })
  const open = call(gateway.url, 'GET', '/slow')
  await soon('the upstream has the request', () => finish)
  const stopped = gateway.stop('SIGTERM')
  await soon('no new connection is taken', () =>
    call(gateway.url, 'GET', '/healthz', { headers: { connection: 'close' } }).then(
      () => false,
      () => true,
    ),
  )
  finish!()
  const answer = await open
  t.equal(answer.status, 200)
  t.equal(answer.text, 'begun, finished')
  const begin = performance.now()
  t.equal(await stopped, 0)
  t.ok(performance.now() - begin < 3_000, 'it waits for nothing else')
})

t.test('a request that does not finish is cut after timeouts.shutdown', async (t) => {
  let isOpen = false
  const never = createServer(() => (isOpen = true))
  const upstream = `http://127.0.0.1:${await listen(t, never)}`
  const gateway = await serveGateway(t, {
    timeouts: { shutdown: '300ms' },
    routes: [{ path: '/', upstream, auth: 'none' }],
  })
  const open = call(gateway.url, 'GET', '/never').then(
    ({ status }) => status,
    () => 'cut',
  )
  await soon('the upstream has the request', () => isOpen)
  const begin = performance.now()
  t.equal(await gateway.stop('SIGTERM'), 0)
  t.ok(performance.now() - begin < 3_000)
  t.not(await open, 200)
})

t.test('health and readiness; metrics on the admin listener only', async (t) => {
  const blog = await startBlog(t)
  const gateway = await serveGateway(t, {
    admin: { host: '127.0.0.1', port: 0 },
    routes: [{ path: '/', upstream: blog }],
  })
  const { url, adminUrl } = gateway
  for (const path of ['/healthz', '/readyz']) {
    const { status, headers } = await call(url, 'GET', path)
    t.equal(status, 200, path)
    t.equal(headers['cache-control'], 'no-store')
  }
  await logIn(url)
  await call(url, 'POST', '/auth/login', { json: { username: 'ada', password: 'wrong' } })
  await call(url, 'GET', '/post')
  t.not(adminUrl, undefined)
  const metrics = await call(adminUrl!, 'GET', '/metrics')
  t.equal(metrics.status, 200)
  t.match(metrics.text, /^portcullis_events_total\{event="login"\} 1$/m)
  t.match(metrics.text, /^portcullis_events_total\{event="login_failed"\} 1$/m)
  t.match(metrics.text, /^portcullis_refusals_total\{code="credentials_missing"\} 1$/m)
  const foreign = metrics.text
    .split('\n')
    .filter((line) => line !== '' && !/^(# \w+ )?(portcullis|process|nodejs)_/.test(line))
  t.strictSame(foreign, [], 'all are named portcullis_…, or as prom-client names those of the process')
  isRefused(
    t,
    await call(url, 'GET', '/metrics'),
    401,
    'credentials_missing',
    'on the public port a path like others',
  )
  isRefused(
    t,
    await call(adminUrl!, 'GET', '/auth/me'),
    404,
    'not_found',
    'on the admin port none of the public ones',
  )
  isRefused(t, await call(adminUrl!, 'POST', '/metrics'), 405, 'method_not_allowed')
  t.equal((await call(adminUrl!, 'GET', '/metrics', { headers: { host: 'x' } })).status, 200)
})

t.test('a failed start ends with a message and exit code 1, without a stack', async (t) => {
  const directory = await home(t)
  const first = await serveGateway(t, {}, directory)
  const port = Number(new URL(first.url).port)
  const starts: [Record<string, unknown>, RegExp][] = [
    [{ listen: { host: '127.0.0.1', port } }, /listen\.port: \d+ is in use/],
    [{ routes: [] }, /routes/],
    [{ login: { users: '/nowhere' } }, /users file \/nowhere/],
    [
      { listen: { host: '127.0.0.1', port: 0, tls: { cert: '/nowhere', key: '/nowhere' } } },
      /listen\.tls\.cert/,
    ],
  ]
  const errors = starts.map(([overrides]) =>
    serveGateway(t, overrides, directory).then(
      () => '',
      ({ message }: Error) => message,
    ),
  )
  for (const [i, error] of (await Promise.all(errors)).entries()) {
    t.match(error, starts[i]![1])
    t.notMatch(error, /\n\s+at /)
  }
})

t.test('the log has one line per security event, none per request, and newlines are escaped', async (t) => {
  const { url, records, output } = await serveGateway(t)
  const started = records().length
  const tokens = await logIn(url)
  const hostile = 'zorro\n{"level":30,"event":"login","sub":"admin"}\r\n\u2028\u001b[31m'
  await call(url, 'POST', '/auth/login', { json: { username: hostile, password: 'a-secret-guess' } })
  await call(url, 'GET', '/auth/me', { token: tokens.access_token })
  await call(url, 'GET', '/auth/me')
  await call(url, 'GET', '/nowhere')
  await call(url, 'POST', '/auth/refresh', { json: { refresh_token: tokens.refresh_token } })
  await call(url, 'POST', '/auth/logout', { token: tokens.access_token })
  await soon('the logout is in the log', () => records().some(({ event }) => event === 'logout'))
  const lines = records().slice(started)
  // The call of /nowhere goes to the upstream where nobody listens, but without a token it never gets there.
  t.strictSame(
    lines.map(({ event }) => event),
    ['login', 'login_failed', 'logout'],
  )
  t.match(lines[0], { sub: 'ada', sid: tokens.session_id, ip: '127.0.0.1' })
  t.match(lines[1], { account: /^[\w-]{43}$/, ip: '127.0.0.1' })
  t.notOk(output().includes('zorro'), 'the name itself may be a password typed into the wrong field')
  t.match(lines[2], { sub: 'ada', sid: tokens.session_id, reason: 'logout' })
  t.ok(
    output()
      .split('\n')
      .slice(0, -1)
      .every((line) => line.startsWith('{"level":')),
    'each line is a record',
  )
  for (const secret of [USERS.ada, 'a-secret-guess', tokens.access_token, tokens.refresh_token]) {
    t.notOk(output().includes(secret))
  }
})

t.test('log.requests writes one line per request with its outcome, without tokens', async (t) => {
  const { url, records, output } = await serveGateway(t, { log: { level: 'info', requests: true } })
  const { access_token, session_id } = await logIn(url)
  await call(url, 'GET', '/auth/me?code=query-secret', {
    token: access_token,
    cookies: { x: 'cookie-secret' },
  })
  // Nobody listens at the upstream.
  await call(url, 'GET', '/posts/7', { token: access_token })
  await call(url, 'GET', '/posts/8')
  await call(url, 'PATCH', '/auth/me')
  await call(url, 'GET', '/a%00b?t=query-secret')
  await call(url, 'POST', '/auth/logout', { token: access_token })
  const requests = () => records().filter(({ event }) => event === 'request')
  await soon('all requests are in the log', () => requests().length === 7)
  const base = { level: 30, msg: 'request completed' }
  const expected = [
    { method: 'POST', path: '/auth/login', status: 200, route: '/auth/login' },
    { method: 'GET', path: '/auth/me', status: 200, route: '/auth/me', sub: 'ada' },
    { method: 'GET', path: '/posts/7', status: 502, route: '/', sub: 'ada', code: 'upstream_unavailable' },
    { method: 'GET', path: '/posts/8', status: 401, route: '/', code: 'credentials_missing' },
    { method: 'PATCH', path: '/auth/me', status: 405, route: '/auth/me', code: 'method_not_allowed' },
    { method: 'GET', path: '/a%00b', status: 400, route: 'none', code: 'target_refused' },
    { method: 'POST', path: '/auth/logout', status: 204, route: '/auth/logout' },
  ]
  for (const [i, record] of requests().entries()) {
    const { level, msg, request_id, duration_ms, ...others } = record
    const { time: _time, pid: _pid, hostname: _hostname, event: _event, ...rest } = others
    t.match(
      { level, msg, request_id, duration_ms },
      { ...base, request_id: /^[0-9a-f]{8}-/, duration_ms: Number },
    )
    t.strictSame(rest, expected[i])
  }
  t.notOk(
    records().some(({ req, res }) => req ?? res),
    'no line of Fastify’s own',
  )
  const idOf = (at: number) => requests()[at]!['request_id']
  t.match(
    records().filter(({ event }) => event === 'login' || event === 'logout'),
    [
      { event: 'login', sid: session_id, request_id: idOf(0) },
      { event: 'logout', sid: session_id, request_id: idOf(6) },
    ],
    'events carry the id of their request',
  )
  t.notOk(output().includes('query-secret'))
  t.notOk(output().includes(access_token))
  t.notOk(output().includes('cookie-secret'))
})
