import t from 'tap'
import {
  TOKEN_FIELDS,
  call,
  claimsOf,
  cookiesOf,
  isRefused,
  logIn,
  logInByCookies,
  startGateway,
} from '../support/gateway-process.js'

const { url } = await startGateway(t)
const refresh = (refresh_token: string) => call(url, 'POST', '/auth/refresh', { json: { refresh_token } })
const me = (token: string) => call(url, 'GET', '/auth/me', { token })

t.test('a refresh returns new tokens of the same session', async (t) => {
  const first = await logIn(url)
  const { status, headers, body } = await refresh(first.refresh_token)
  t.equal(status, 200)
  t.equal(headers['cache-control'], 'no-store')
  t.strictSame(Object.keys(body).toSorted(), TOKEN_FIELDS)
  t.equal(body.session_id, first.session_id)
  t.not(body.refresh_token, first.refresh_token)
  t.not(claimsOf(body.access_token).jti, claimsOf(first.access_token).jti)
  t.equal((await me(body.access_token)).status, 200)
  t.equal((await me(first.access_token)).status, 200, 'the former access token lives on until it expires')
})

t.test('a form works like JSON', async (t) => {
  const { refresh_token } = await logIn(url)
  t.equal((await call(url, 'POST', '/auth/refresh', { form: { refresh_token } })).status, 200)
})

t.test('a refresh by cookie responds with cookies', async (t) => {
  const cookies = await logInByCookies(url)
  const answer = await call(url, 'POST', '/auth/refresh', { cookies, headers: { origin: url } })
  t.equal(answer.status, 200)
  t.equal(answer.headers['cache-control'], 'no-store')
  t.notOk('access_token' in answer.body || 'refresh_token' in answer.body)
  const renewed = cookiesOf(answer.setCookie)
  t.strictSame(Object.keys(renewed), ['__Host-access', '__Secure-refresh'])
  t.not(renewed['__Secure-refresh'], cookies['__Secure-refresh'])
  t.equal((await call(url, 'GET', '/auth/me', { cookies: renewed })).status, 200)
})

t.test('no refresh token, two of them, or a malformed one', async (t) => {
  const { refresh_token } = await logIn(url)
  isRefused(t, await call(url, 'POST', '/auth/refresh'), 400, 'refresh_token_missing', 'no body')
  isRefused(t, await call(url, 'POST', '/auth/refresh', { json: {} }), 400, 'refresh_token_missing', 'empty')
  const cookies = { '__Secure-refresh': refresh_token }
  const both = { json: { refresh_token }, cookies, headers: { origin: url } }
  isRefused(t, await call(url, 'POST', '/auth/refresh', both), 400, 'credentials_ambiguous')
  const cookie = `__Secure-refresh=${refresh_token}; __Secure-refresh=${refresh_token}`
  const double = await call(url, 'POST', '/auth/refresh', { headers: { cookie, origin: url } })
  isRefused(t, double, 400, 'credentials_ambiguous', 'two cookies')
  for (const json of [{ refresh_token: '' }, { refresh_token: 1 }, { refresh_token: 'x'.repeat(513) }]) {
    isRefused(t, await call(url, 'POST', '/auth/refresh', { json }), 400, 'invalid_request')
  }
  for (const odd of ['x', 'a.b.c', `${refresh_token}.x`, `${refresh_token} `, refresh_token.slice(0, -1)]) {
    isRefused(t, await refresh(odd), 401, 'refresh_token_invalid', odd.length > 20 ? 'altered' : odd)
  }
  t.equal((await refresh(refresh_token)).status, 200, 'nothing of this has used it up')
})

t.test('access and refresh tokens can’t replace each other', async (t) => {
  const tokens = await logIn(url)
  isRefused(t, await refresh(tokens.access_token), 401, 'refresh_token_invalid')
  isRefused(t, await me(tokens.refresh_token), 401, 'token_malformed')
})

t.test('knowing a sid is not enough to end a session', async (t) => {
  const tokens = await logIn(url)
  const other = await logIn(url, 'bob')
  const forged = [tokens.session_id, ...other.refresh_token.split('.').slice(1)].join('.')
  isRefused(t, await refresh(forged), 401, 'refresh_token_invalid')
  t.equal((await me(tokens.access_token)).status, 200)
  t.equal((await refresh(tokens.refresh_token)).status, 200)
})

t.test('a retry within the grace gets the same successor, until that was used', async (t) => {
  const { refresh_token: first } = await logIn(url)
  const { refresh_token: second } = (await refresh(first)).body
  t.equal((await refresh(first)).body.refresh_token, second)
  t.equal((await refresh(first)).body.refresh_token, second)
  t.equal((await refresh(second)).status, 200)
  isRefused(t, await refresh(first), 401, 'refresh_token_reused')
})

t.test('after the grace a used token is theft, even if its successor was never used', async (t) => {
  const strict = await startGateway(t, { tokens: { reuseGrace: '0s' } })
  const tokens = await logIn(strict.url)
  const again = () =>
    call(strict.url, 'POST', '/auth/refresh', { json: { refresh_token: tokens.refresh_token } })
  const { body } = await again()
  isRefused(t, await again(), 401, 'refresh_token_reused')
  const successor = { refresh_token: body.refresh_token as string }
  isRefused(t, await call(strict.url, 'POST', '/auth/refresh', { json: successor }), 401, 'session_ended')
  for (const token of [tokens.access_token, body.access_token]) {
    isRefused(t, await call(strict.url, 'GET', '/auth/me', { token }), 401, 'session_ended')
  }
})

t.test('the refresh limit counts refreshes, not retries', async (t) => {
  const few = await startGateway(t, { tokens: { refreshLimit: 2 } })
  const next = async (json: { refresh_token: string }) => call(few.url, 'POST', '/auth/refresh', { json })
  const zero = await logIn(few.url)
  const one = (await next({ refresh_token: zero.refresh_token })).body
  t.equal((await next({ refresh_token: zero.refresh_token })).body.refresh_token, one.refresh_token)
  const two = (await next({ refresh_token: one.refresh_token })).body
  isRefused(t, await next({ refresh_token: two.refresh_token }), 401, 'refresh_limit_reached')
})
