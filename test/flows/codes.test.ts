/** One-time codes by HTTP: the two routes, their bodies, and the OAuth errors. */
import t from 'tap'
import { openCodeApp } from '../support/code-app.js'

const VERIFIER = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'
const CHALLENGE = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'

t.test('a code gives a session of its own, with the lives of codes', async (t) => {
  const app = await openCodeApp(t)
  const login = await app.logIn()
  const issued = await app.issueCode(login.access_token)
  t.equal(issued.status, 201)
  t.equal(issued.headers['cache-control'], 'no-store')
  t.strictSame(Object.keys(issued.body), ['code', 'expires_in'])
  t.match(issued.body, { code: /^[\w-]{43}$/, expires_in: 600 })

  const { status, headers, body } = await app.exchange({ code: issued.body['code']! })
  t.equal(status, 200)
  t.equal(headers['cache-control'], 'no-store')
  t.match(headers['content-type'], /^application\/json/)
  t.notOk('set-cookie' in headers)
  t.match(body, { token_type: 'Bearer', expires_in: 7_200, refresh_expires_in: 30 * 86_400 })
  t.not(body['session_id'], login.session_id)
  const me = await app.me(body['access_token']!)
  t.match(me.body, { sub: 'alice', scope: 'read write', tenant: 'a', client_id: 'portcullis' })
  t.equal(Number(me.body['exp']) - Number(me.body['iat']), 7_200)
  t.equal((await app.me(login.access_token)).status, 200, 'the session of the code goes on')
})

t.test('a code with a challenge and a client is exchanged by that client with the verifier', async (t) => {
  const app = await openCodeApp(t)
  const { access_token } = await app.logIn()
  const conditions = { code_challenge: CHALLENGE, code_challenge_method: 'S256', client_id: 'web' }
  const { body } = await app.issueCode(access_token, conditions)
  const exchanged = await app.exchange({ code: body['code']!, code_verifier: VERIFIER, client_id: 'web' })
  t.equal(exchanged.status, 200)
  t.match((await app.me(exchanged.body['access_token']!)).body, { client_id: 'web' })
})

t.test('a session that a code began is refreshed by either route, with the lives of codes', async (t) => {
  const app = await openCodeApp(t)
  const { access_token } = await app.logIn()
  const first = await app.exchange({ code: (await app.issueCode(access_token)).body['code']! })
  const second = await app.token({ grant_type: 'refresh_token', refresh_token: first.body['refresh_token']! })
  t.equal(second.status, 200)
  t.match(second.body, { expires_in: 7_200, refresh_expires_in: 30 * 86_400 })
  t.equal(second.body['session_id'], first.body['session_id'])
  const third = await app.refresh(second.body['refresh_token']!)
  t.match(third.body, { expires_in: 7_200, refresh_expires_in: 30 * 86_400 })
  t.equal((await app.me(third.body['access_token']!)).status, 200)
})

t.test('in the single scheme, a code gives an access token that can be renewed', async (t) => {
  const app = await openCodeApp(t, { tokens: { scheme: 'single' } })
  const { access_token } = await app.logIn()
  const { body } = await app.exchange({ code: (await app.issueCode(access_token)).body['code']! })
  t.match(body, { expires_in: 7_200 })
  t.ok(Math.abs(Number(body['session_expires_in']) - 72 * 3_600) < 30, 'by tokens.absolute')
  t.notOk('refresh_token' in body)
  const renewed = await app.send('/auth/renew', {
    headers: { authorization: `Bearer ${body['access_token']}` },
  })
  t.match(renewed, { status: 200, body: { expires_in: 7_200, session_id: body['session_id'] } })
})

t.test('without the setting, the routes don’t exist', async (t) => {
  const app = await openCodeApp(t, {}, false)
  const { access_token } = await app.logIn()
  t.equal((await app.issueCode(access_token)).status, 404)
  t.equal((await app.exchange({ code: 'x' })).status, 404)
})

t.test('a code is issued only to a valid access token, and by cookie only to our own pages', async (t) => {
  const app = await openCodeApp(t)
  const { access_token } = await app.logIn()
  t.match((await app.send('/auth/codes', { payload: {} })).body, { code: 'credentials_missing' })
  t.match((await app.issueCode('x')).body, { code: 'token_malformed' })
  const cookie = `access=${access_token}`
  const byCookie = (origin: string) =>
    app.send('/auth/codes', { payload: {}, headers: { cookie, origin, host: 'api.example.com' } })
  t.match((await byCookie('https://evil.example')).body, { code: 'cross_site_request' })
  t.equal((await byCookie('https://api.example.com')).status, 201)
})

t.test('a wrong challenge, method or client is invalid_request', async (t) => {
  const app = await openCodeApp(t)
  const { access_token } = await app.logIn()
  const wrong: object[] = [
    { code_challenge: CHALLENGE.slice(1) },
    { code_challenge: `${CHALLENGE}=` },
    { code_challenge: CHALLENGE.replace('-', '+') },
    { code_challenge: 42 },
    { code_challenge: CHALLENGE, code_challenge_method: 'plain' },
    { code_challenge: CHALLENGE, code_challenge_method: 's256' },
    { code_challenge_method: 'S256' },
    { client_id: '' },
    { client_id: 'a'.repeat(257) },
    { client_id: 'a\nb' },
    { client_id: '\ud800' },
  ]
  for (const body of wrong) {
    const response = await app.issueCode(access_token, body)
    t.match(response, { status: 400, body: { code: 'invalid_request' } }, JSON.stringify(body))
  }
})

t.test('errors of the token route are those of RFC 6749 §5.2', async (t) => {
  const app = await openCodeApp(t)
  const code = async () => (await app.issueCode((await app.logIn()).access_token)).body['code']!
  const grant_type = 'authorization_code'
  const forms: [string, string][] = [
    ['', 'invalid_request'],
    ['grant_type=', 'invalid_request'],
    [`code=${await code()}`, 'invalid_request'],
    [`grant_type=${grant_type}`, 'invalid_request'],
    [`grant_type=${grant_type}&code=`, 'invalid_request'],
    ['grant_type=refresh_token', 'invalid_request'],
    [`grant_type=${grant_type}&grant_type=${grant_type}&code=${await code()}`, 'invalid_request'],
    [`grant_type=${grant_type}&code=${await code()}&client_id=a&client_id=a`, 'invalid_request'],
    ['grant_type=password&username=alice&password=p', 'unsupported_grant_type'],
    ['grant_type=client_credentials', 'unsupported_grant_type'],
    ['grant_type=toString', 'unsupported_grant_type'],
    [`grant_type=${grant_type}&code=${'a'.repeat(43)}`, 'invalid_grant'],
    [`grant_type=${grant_type}&code=%00`, 'invalid_grant'],
    ['grant_type=refresh_token&refresh_token=x', 'invalid_grant'],
  ]
  for (const [payload, error] of forms) {
    const { status, headers, body } = await app.form(payload)
    t.match({ status, body }, { status: 400, body: { error } }, payload)
    t.match(headers, { 'content-type': /^application\/json/, 'cache-control': 'no-store' })
    t.notOk('www-authenticate' in headers)
    t.strictSame(Object.keys(body), ['error', 'error_description'])
    t.match(body['error_description'], /^[ !#-[\]-~]+$/, 'the characters that RFC 6749 allows')
  }
})

t.test('the token route accepts a form only', async (t) => {
  const app = await openCodeApp(t)
  const { access_token } = await app.logIn()
  const code = (await app.issueCode(access_token)).body['code']!
  const json = { grant_type: 'authorization_code', code }
  t.match(await app.send('/auth/token', { payload: json }), {
    status: 400,
    body: { error: 'invalid_request' },
  })
  const typed = (type: string, payload: string) =>
    app.send('/auth/token', { payload, headers: { 'content-type': type } })
  for (const type of ['text/plain', 'application/json', 'multipart/form-data; boundary=x'])
    t.match(await typed(type, `grant_type=authorization_code&code=${code}`), {
      status: 400,
      body: { error: 'invalid_request' },
    })
  const large = await app.form(`grant_type=authorization_code&code=${'a'.repeat(20_000)}`)
  t.match(large, { status: 413, body: { error: 'invalid_request' } })
  const spelled = 'Application/X-WWW-Form-Urlencoded; charset=utf-8'
  t.equal((await typed(spelled, `grant_type=authorization_code&code=${code}`)).status, 200)
})

t.test('a parameter without a value counts as absent, and unknown ones are ignored', async (t) => {
  const app = await openCodeApp(t)
  const { access_token } = await app.logIn()
  const code = (await app.issueCode(access_token)).body['code']!
  const form = `grant_type=authorization_code&code=${code}&code_verifier=&client_id=&redirect_uri=https%3A%2F%2Fa`
  t.equal((await app.form(form)).status, 200)
})

t.test('a used refresh token at the token route is invalid_grant and ends the session', async (t) => {
  const app = await openCodeApp(t, { tokens: { reuseGrace: '0s' } })
  const { refresh_token = '' } = await app.logIn()
  const use = (token: string) => app.token({ grant_type: 'refresh_token', refresh_token: token })
  const next = await use(refresh_token)
  t.equal(next.status, 200)
  t.match(await use(refresh_token), { status: 400, body: { error: 'invalid_grant' } })
  t.match((await app.me(next.body['access_token']!)).body, { code: 'session_ended' })
  t.match(await use(next.body['refresh_token']!), { status: 400, body: { error: 'invalid_grant' } })
})

t.test('requests beyond the limit of an address are 429 with Retry-After', async (t) => {
  const app = await openCodeApp(t, { rateLimit: { refresh: { perAddress: { max: 3 } } } })
  const { access_token, refresh_token = '' } = await app.logIn()
  const code = (await app.issueCode(access_token)).body['code']!
  for (let i = 0; i < 3; i += 1) t.equal((await app.exchange({ code: 'a'.repeat(43) })).status, 400)
  const limited = await app.exchange({ code })
  t.match(limited, { status: 429, body: { error: 'temporarily_unavailable' } })
  t.match(limited.headers['retry-after'], /^\d+$/)
  for (let i = 0; i < 3; i += 1) await app.refresh(refresh_token)
  const refused = await app.token({ grant_type: 'refresh_token', refresh_token })
  t.match(refused, { status: 429, body: { error: 'temporarily_unavailable' } })
})

t.test('a subject can’t store codes without bound', async (t) => {
  const app = await openCodeApp(t)
  const { access_token } = await app.logIn()
  const statuses = new Set<number>()
  for (let i = 0; i < 300; i += 1) statuses.add((await app.issueCode(access_token)).status)
  t.strictSame([...statuses], [201])
  const limited = await app.issueCode((await app.logIn()).access_token)
  t.match(limited, { status: 429, body: { code: 'rate_limited' } })
  t.match(limited.headers['retry-after'], /^\d+$/)
})

t.test('a code’s second use is logged and counted, and the log has no code', async (t) => {
  const app = await openCodeApp(t)
  const { access_token } = await app.logIn()
  const code = (await app.issueCode(access_token)).body['code']!
  const first = await app.exchange({ code })
  for (let i = 0; i < 2; i += 1)
    t.match(await app.exchange({ code }), { status: 400, body: { error: 'invalid_grant' } })
  t.match((await app.me(first.body['access_token']!)).body, { code: 'session_ended' })
  t.match(await app.refresh(first.body['refresh_token']!), { status: 401, body: { code: 'session_ended' } })
  const log = app.logged()
  t.equal(log.split('"event":"code_reused"').length - 1, 1)
  t.ok(log.includes('"reason":"reuse"'))
  t.notOk(log.includes(code))
  t.match(await app.metrics(), /portcullis_events_total\{event="code_reused"\} 1/)
})

t.test('another method is 405', async (t) => {
  const app = await openCodeApp(t)
  for (const url of ['/auth/codes', '/auth/token'])
    t.match(await app.send(url, { method: 'GET' }), { status: 405, headers: { allow: 'POST' } })
})
