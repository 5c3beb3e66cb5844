/** The legacy API says at each refresh what the user may do now (`login.http.refresh`). */
import { gzipSync } from 'node:zlib'
import t from 'tap'
import type { Test } from 'tap'
import type { Answer, Tokens } from '../support/gateway-process.js'
import { call, claimsOf, isRefused, serveGateway, soon } from '../support/gateway-process.js'
import { answers, gatewayFor, mapping, startLegacyApi } from '../support/legacy-login-api.js'
import type { Behaviour, LegacyApi } from '../support/legacy-login-api.js'

const json = { username: 'ada', password: 'gate & keeper=1843' }
const user = (role: string, scope?: string) => ({ data: { user: { id: 42, role }, scope } })

const refresh = (url: string, { refresh_token }: Tokens): Promise<Answer> =>
  call(url, 'POST', '/auth/refresh', { json: { refresh_token } })
const me = (url: string, { access_token }: Tokens) => call(url, 'GET', '/auth/me', { token: access_token })

/** Starts an API and a gateway, and logs in. What the API does afterwards is about refreshes. */
async function start(t: Test, http: object = {}) {
  const api = await startLegacyApi(t, answers(200, user('clerk', 'read write')))
  const refreshUrl = api.url.replace('/legacy/login', '/legacy/user?v=2')
  const { url } = await gatewayFor(t, api, { refresh: refreshUrl, ...http })
  const logIn = async () => {
    api.behave = answers(200, user('clerk', 'read write'))
    return (await call(url, 'POST', '/auth/login', { json })).body as Tokens
  }
  return { api, url, logIn, tokens: await logIn() }
}

t.test('a refresh sends sub and sid alone, and the tokens get the claims of the response', async (t) => {
  const { api, url, tokens } = await start(t)
  api.behave = answers(200, user('auditor', 'read'))
  const answer = await call(url, 'POST', '/auth/refresh', {
    json: { refresh_token: tokens.refresh_token },
    headers: { cookie: 'legacy=1', 'x-forwarded-for': '203.0.113.9', 'user-agent': 'curl/8' },
  })
  t.match(claimsOf(answer.body.access_token), { sub: '42', role: 'auditor', scope: 'read' })
  const [, sent, ...more] = api.calls
  t.strictSame(more, [], 'one request')
  t.match(sent, { method: 'POST', target: '/legacy/user?v=2' })
  t.strictSame(JSON.parse(sent!.body), { sub: '42', sid: tokens.session_id })
  const ofTheConnection = new Set(['host', 'connection', 'content-length'])
  t.strictSame(
    Object.fromEntries(Object.entries(sent!.headers).filter(([name]) => !ofTheConnection.has(name))),
    { accept: 'application/json', 'content-type': 'application/json', 'user-agent': 'portcullis' },
  )

  api.behave = answers(200, { data: { user: { role: 'clerk' } } })
  const next = await refresh(url, answer.body)
  const { role, scope } = claimsOf(next.body.access_token)
  t.strictSame({ role, scope }, { role: 'clerk', scope: undefined }, 'without a scope there is none any more')
})

t.test('in the format of login.http.body', async (t) => {
  const { api, url, tokens } = await start(t, { body: 'form' })
  t.equal((await refresh(url, tokens)).status, 200)
  t.match(api.calls[1]!.headers, { 'content-type': 'application/x-www-form-urlencoded' })
  t.strictSame(
    [...new URLSearchParams(api.calls[1]!.body)],
    [
      ['sub', '42'],
      ['sid', tokens.session_id],
    ],
  )
})

t.test('401, 403, 404 and 410 end the session', async (t) => {
  const { api, url, logIn } = await start(t)
  for (const status of [401, 403, 404, 410]) {
    const tokens = await logIn()
    api.behave = answers(status, user('clerk'))
    isRefused(t, await refresh(url, tokens), 401, 'session_ended', String(status))
    isRefused(t, await me(url, tokens), 401, 'session_ended', String(status))
    api.behave = answers(200, user('clerk'))
    isRefused(t, await refresh(url, tokens), 401, 'session_ended', `${status}, again`)
  }
})

t.test('anything else is 503 and changes nothing', async (t) => {
  const { api, url, tokens } = await start(t, { timeout: '400ms' })
  const elsewhere = await startLegacyApi(t, answers(200, user('admin')))
  const behaviours: Record<string, Behaviour> = {
    ...Object.fromEntries(
      [400, 405, 409, 422, 429, 500, 502, 503].map((status) => [status, answers(status)]),
    ),
    ...Object.fromEntries(
      [301, 303, 307].map((status) => [status, answers(status, user('admin'), { location: elsewhere.url })]),
    ),
    'no content': answers(204),
    'no JSON': answers(200, 'welcome'),
    null: answers(200, 'null'),
    'an error with the status 200': answers(200, { ok: false }),
    'another user': answers(200, { data: { user: { id: 43, role: 'admin' } } }),
    'a subject that is none': answers(200, { data: { user: { id: {}, role: 'admin' } } }),
    'claims that no token holds': answers(200, user('x'.repeat(5_000))),
    'more than is read': answers(200, { ...user('admin'), more: 'x'.repeat(70_000) }),
    compressed: (response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(JSON.stringify(user('admin'))))
    },
    'no response': () => {},
    'half a response': (response) => {
      response.writeHead(200, { 'content-length': 100 })
      response.write('{')
    },
    'the end of the connection': (response) => void response.socket!.destroy(),
  }
  for (const [what, behave] of Object.entries(behaviours)) {
    api.behave = behave
    isRefused(t, await refresh(url, tokens), 503, 'store_unavailable', what)
    t.equal((await me(url, tokens)).status, 200, what)
  }
  t.strictSame(elsewhere.calls, [], 'redirects aren’t followed')
  api.behave = answers(429, '', { 'retry-after': '7' })
  t.equal((await refresh(url, tokens)).headers['retry-after'], '7')
  api.behave = answers(200, user('auditor', 'read'))
  const { status, body } = await refresh(url, tokens)
  t.equal(status, 200, 'the same refresh token still works')
  t.match(claimsOf(body.access_token), { role: 'auditor', scope: 'read' })
  api.stop()
  isRefused(t, await refresh(url, body), 503, 'store_unavailable', 'not there')
})

t.test('without claims to map, the response needs only be about the same user', async (t) => {
  const { api, url, tokens } = await start(t, { claims: {} })
  api.behave = answers(200, { data: { user: { id: '42' } } })
  t.equal((await refresh(url, tokens)).status, 200)
})

t.test('a retry within the grace doesn’t call the API again', async (t) => {
  const { api, url, tokens } = await start(t)
  t.equal((await refresh(url, tokens)).status, 200)
  api.behave = answers(404)
  t.equal((await refresh(url, tokens)).status, 200)
  t.equal(api.calls.length, 2, 'one login, one refresh')
})

t.test('the log has a code, and nothing from the URL or the response', async (t) => {
  const api: LegacyApi = await startLegacyApi(t, answers(200, user('clerk')))
  const gateway = await serveGateway(t, {
    log: { level: 'trace', requests: true },
    login: { http: { url: api.url, refresh: `${api.url}?key=in-the-url`, ...mapping } },
  })
  const tokens = (await call(gateway.url, 'POST', '/auth/login', { json })).body as Tokens
  api.behave = answers(500, { secret: 'from-the-response' })
  isRefused(t, await refresh(gateway.url, tokens), 503, 'store_unavailable')
  await soon('it was logged', () =>
    gateway
      .records()
      .some(({ event, reason }) => event === 'refresh_check_failed' && reason === 'status_500'),
  )
  for (const secret of ['from-the-response', 'in-the-url', tokens.refresh_token])
    t.notOk(gateway.output().includes(secret), secret)
})
