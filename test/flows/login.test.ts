import { hashPassword } from '../../src/login/users-file.js'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import {
  TOKEN_FIELDS,
  USERS,
  call,
  claimsOf,
  cookiesOf,
  home,
  isRefused,
  logIn,
  startGateway,
} from '../support/gateway-process.js'

const { url } = await startGateway(t)
const good = { username: 'ada', password: USERS.ada }
const login = (json: unknown, headers = {}) => call(url, 'POST', '/auth/login', { json, headers })

t.test('a login returns the documented token response with Cache-Control: no-store', async (t) => {
  const { status, headers, body, setCookie } = await login({ ...good, device: 'Ada’s laptop' })
  t.equal(status, 200)
  t.equal(headers['cache-control'], 'no-store')
  t.match(headers['content-type'], /^application\/json/)
  t.strictSame(Object.keys(body).toSorted(), TOKEN_FIELDS)
  t.match(body, { token_type: 'Bearer', expires_in: 900, refresh_expires_in: 30 * 86_400 })
  t.strictSame(setCookie, [])
  const claims = claimsOf(body.access_token)
  t.match(claims, { sub: 'ada', client_id: 'portcullis', sid: body.session_id, auth_time: claims.iat })
  t.equal(claims.exp - claims.iat, 900)
  t.equal(body.refresh_token.split('.')[0], body.session_id)
})

t.test('a form works like JSON, with flags as text', async (t) => {
  const { status, body } = await call(url, 'POST', '/auth/login', { form: { ...good, cookies: 'false' } })
  t.equal(status, 200)
  t.strictSame(Object.keys(body).toSorted(), TOKEN_FIELDS)
})

t.test('with cookies: true the tokens are sent as cookies and not in the body', async (t) => {
  for (const body of [{ json: { ...good, cookies: true } }, { form: { ...good, cookies: 'true' } }]) {
    const answer = await call(url, 'POST', '/auth/login', { ...body, headers: { origin: url } })
    t.equal(answer.status, 200)
    t.equal(answer.headers['cache-control'], 'no-store')
    t.strictSame(
      Object.keys(answer.body).toSorted(),
      TOKEN_FIELDS.filter((field) => !/^(access|refresh)_token$/.test(field)),
    )
    const [access, refresh, ...more] = answer.setCookie
    t.match(access, /^__Host-access=[\w.-]+; Max-Age=2592000; Path=\/; HttpOnly; SameSite=Lax; Secure$/)
    t.match(
      refresh,
      /^__Secure-refresh=[\w.-]+; Max-Age=2592000; Path=\/auth; HttpOnly; SameSite=Lax; Secure$/,
    )
    t.strictSame(more, [])
    t.equal((await call(url, 'GET', '/auth/me', { cookies: cookiesOf(answer.setCookie) })).body.sub, 'ada')
  }
})

t.test('with cookies.secure: false the cookies have plain names and no Secure', async (t) => {
  const plain = await startGateway(t, { cookies: { secure: false } })
  const json = { ...good, cookies: true }
  const answer = await call(plain.url, 'POST', '/auth/login', { json, headers: { origin: plain.url } })
  t.strictSame(Object.keys(cookiesOf(answer.setCookie)), ['access', 'refresh'])
  t.notMatch(answer.setCookie.join(), /secure/i)
})

t.test('a login with cookies where they are disabled is refused with the reason', async (t) => {
  const without = await startGateway(t, { cookies: { enabled: false } })
  const json = { ...good, cookies: true }
  const answer = await call(without.url, 'POST', '/auth/login', { json, headers: { origin: without.url } })
  isRefused(t, answer, 400, 'invalid_request')
})

t.test('a wrong password and an unknown user get the same response, without tokens', async (t) => {
  const wrong = await login({ ...good, password: 'wrong' })
  const unknown = await login({ username: 'nobody', password: USERS.ada })
  for (const answer of [wrong, unknown]) isRefused(t, answer, 401, 'invalid_credentials')
  const { request_id: _, ...first } = wrong.body
  const { request_id: __, ...second } = unknown.body
  t.strictSame(first, second)
  t.notMatch(wrong.headers['www-authenticate'], 'error=')
})

t.test('missing or invalid fields of a body are named', async (t) => {
  const bodies: [unknown, RegExp][] = [
    [{ username: 'ada' }, /password/],
    [{ password: 'x' }, /username/],
    [{}, /username|password/],
    [{ ...good, username: 7 }, /^username/],
    [{ ...good, password: ['x'] }, /^password/],
    [{ ...good, password: null }, /^password/],
    [{ ...good, device: 'x'.repeat(65) }, /^device/],
    [{ ...good, cookies: 'yes' }, /^cookies/],
    [{ ...good, username: 'x'.repeat(257) }, /^username/],
    [{ ...good, password: 'x'.repeat(1025) }, /^password/],
    [[], /./],
    ['ada', /./],
  ]
  for (const [json, detail] of bodies) {
    const answer = await login(json)
    t.equal(answer.status, 400, JSON.stringify(json).slice(0, 60))
    t.match(answer.body, { code: 'invalid_request', detail })
    t.notMatch(answer.text, USERS.ada)
  }
  const twice = await call(url, 'POST', '/auth/login', {
    body: 'username=ada&password=a&password=b',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  })
  isRefused(t, twice, 400, 'invalid_request')
  t.match(twice.body.detail, /^password/)
})

t.test('a user name matches in any case and equivalent spelling', async (t) => {
  for (const username of ['ADA', ' ada ', 'ａｄａ']) {
    const { status, body } = await login({ username, password: USERS.ada })
    t.equal(status, 200, username)
    t.equal(claimsOf(body.access_token).sub, 'ada', 'the subject is the name as the file writes it')
  }
})

t.test(
  'an argon2id line logs in, too, and a changed users file takes effect without a restart',
  async (t) => {
    const directory = await home(t)
    const other = await startGateway(t, {}, directory)
    await logIn(other.url)
    await writeFile(join(directory, 'users.htpasswd'), `ada:${await hashPassword(USERS.ada)}\n`)
    await logIn(other.url)
    const json = { username: 'bob', password: USERS.bob }
    isRefused(
      t,
      await call(other.url, 'POST', '/auth/login', { json }),
      401,
      'invalid_credentials',
      'bob has left',
    )
  },
)
