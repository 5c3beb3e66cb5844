import t from 'tap'
import {
  call,
  cookiesOf,
  expired,
  home,
  isRefused,
  logIn,
  logInByCookies,
  startGateway,
} from '../support/gateway-process.js'

const directory = await home(t)
const { url } = await startGateway(t, {}, directory)
const logout = (token: string | undefined, json?: unknown) =>
  call(url, 'POST', '/auth/logout', { token, json })
const me = (token: string) => call(url, 'GET', '/auth/me', { token })
const refresh = (refresh_token: string) => call(url, 'POST', '/auth/refresh', { json: { refresh_token } })

t.test('a logout ends both tokens and can be repeated', async (t) => {
  const { access_token, refresh_token } = await logIn(url)
  const answer = await logout(access_token)
  t.equal(answer.status, 204)
  t.equal(answer.text, '')
  t.strictSame(answer.setCookie, [], 'no cookies came, so none are touched')
  isRefused(t, await me(access_token), 401, 'session_ended')
  isRefused(t, await refresh(refresh_token), 401, 'session_ended')
  t.equal((await logout(access_token)).status, 204)
  t.equal((await logout(undefined, { refresh_token })).status, 204)
})

t.test('a refresh token alone suffices, as JSON or as a form', async (t) => {
  for (const way of ['json', 'form']) {
    const { access_token, refresh_token } = await logIn(url)
    t.equal((await call(url, 'POST', '/auth/logout', { [way]: { refresh_token } })).status, 204)
    isRefused(t, await me(access_token), 401, 'session_ended')
  }
})

t.test('the cookies suffice, both or either, and are deleted', async (t) => {
  for (const names of [['__Host-access', '__Secure-refresh'], ['__Host-access'], ['__Secure-refresh']]) {
    const all = await logInByCookies(url)
    const cookies = Object.fromEntries(Object.entries(all).filter(([name]) => names.includes(name)))
    const answer = await call(url, 'POST', '/auth/logout', { cookies, headers: { origin: url } })
    t.equal(answer.status, 204, names.join())
    t.strictSame(cookiesOf(answer.setCookie), { '__Host-access': '', '__Secure-refresh': '' })
    t.match(answer.setCookie, [/Max-Age=0; Path=\/;.*Secure/, /Max-Age=0; Path=\/auth;.*Secure/])
    isRefused(t, await me(all['__Host-access']!), 401, 'session_ended')
  }
})

t.test('an expired access token still ends its session', async (t) => {
  const { access_token, refresh_token } = await logIn(url)
  const old = await expired(directory, access_token)
  isRefused(t, await me(old), 401, 'token_expired')
  t.equal((await logout(old)).status, 204)
  isRefused(t, await me(access_token), 401, 'session_ended')
  isRefused(t, await refresh(refresh_token), 401, 'session_ended')
})

t.test('each presented session is ended', async (t) => {
  const [one, two] = [await logIn(url), await logIn(url, 'bob')]
  t.equal((await logout(one.access_token, { refresh_token: two.refresh_token })).status, 204)
  isRefused(t, await me(one.access_token), 401, 'session_ended')
  isRefused(t, await me(two.access_token), 401, 'session_ended')
})

t.test('a foreign access token beside a good refresh token is ignored', async (t) => {
  const { access_token, refresh_token } = await logIn(url)
  t.equal((await logout(`${access_token.slice(0, -8)}AAAAAAAA`, { refresh_token })).status, 204)
  isRefused(t, await me(access_token), 401, 'session_ended')
})

t.test('all ends every session of the subject and no others', async (t) => {
  const [one, two, other] = [await logIn(url), await logIn(url), await logIn(url, 'bob')]
  t.equal((await logout(one.access_token, { all: true })).status, 204)
  for (const { access_token } of [one, two]) isRefused(t, await me(access_token), 401, 'session_ended')
  t.equal((await me(other.access_token)).status, 200)
  t.equal((await me((await logIn(url)).access_token)).status, 200, 'a login in the same second is good')
})

t.test('all with keepCurrent ends all but the current session, whose cookies stay', async (t) => {
  const other = await logIn(url)
  const cookies = await logInByCookies(url)
  const json = { all: true, keepCurrent: true }
  const answer = await call(url, 'POST', '/auth/logout', { cookies, json, headers: { origin: url } })
  t.equal(answer.status, 204)
  t.strictSame(answer.setCookie, [])
  isRefused(t, await me(other.access_token), 401, 'session_ended')
  t.equal((await call(url, 'GET', '/auth/me', { cookies })).status, 200)
})

t.test('all needs a valid access token', async (t) => {
  const { access_token, refresh_token } = await logIn(url)
  isRefused(t, await logout(undefined, { all: true, refresh_token }), 401, 'credentials_missing')
  isRefused(t, await logout(await expired(directory, access_token), { all: true }), 401, 'token_expired')
  t.equal((await me(access_token)).status, 200, 'nothing was ended')
  await logout(access_token)
  isRefused(t, await logout(access_token, { all: true }), 401, 'session_ended')
})

t.test('contradictory requests are refused and end nothing', async (t) => {
  const { access_token, refresh_token } = await logIn(url)
  isRefused(t, await logout(access_token, { keepCurrent: true }), 400, 'invalid_request')
  isRefused(t, await logout(access_token, { all: 'perhaps' }), 400, 'invalid_request')
  const cookies = { '__Secure-refresh': refresh_token }
  const both = { cookies, json: { refresh_token }, headers: { origin: url } }
  isRefused(t, await call(url, 'POST', '/auth/logout', both), 400, 'credentials_ambiguous')
  const twoAccess = {
    token: access_token,
    cookies: { '__Host-access': access_token },
    headers: { origin: url },
  }
  isRefused(t, await call(url, 'POST', '/auth/logout', twoAccess), 400, 'credentials_ambiguous')
  t.equal((await me(access_token)).status, 200)
})

t.test('without a recognisable token: 401', async (t) => {
  const { access_token, refresh_token, session_id } = await logIn(url)
  isRefused(t, await logout(undefined), 401, 'credentials_missing')
  isRefused(t, await logout(undefined, {}), 401, 'credentials_missing')
  isRefused(t, await logout('nonsense'), 401, 'token_malformed')
  isRefused(t, await logout(`${access_token.slice(0, -8)}AAAAAAAA`), 401, 'token_invalid')
  isRefused(t, await logout(undefined, { refresh_token: 'nonsense' }), 401, 'refresh_token_invalid')
  const foreign = (await logIn(url, 'bob')).refresh_token.split('.').slice(1)
  const forged = [session_id, ...foreign].join('.')
  isRefused(t, await logout(undefined, { refresh_token: forged }), 401, 'refresh_token_invalid')
  t.equal((await me(access_token)).status, 200)
  t.equal((await refresh(refresh_token)).status, 200)
})
