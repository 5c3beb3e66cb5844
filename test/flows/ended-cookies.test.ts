/** Cookies of sessions that have ended, and of tokens that have expired. */
import fastify from 'fastify'
import t from 'tap'
import { authenticate, portcullis } from '../../src/index.js'
import {
  USERS,
  call,
  cookiesOf,
  expired,
  home,
  isRefused,
  logInByCookies,
  sharedSettings,
  startGateway,
  startUpstream,
} from '../support/gateway-process.js'

const directory = await home(t)
const upstream = await startUpstream(t, { 'set-cookie': 'theirs=1' })
const routes = [
  { path: '/optional', upstream: upstream.url, auth: 'optional' },
  { path: '/', upstream: upstream.url },
]
const { url } = await startGateway(t, { routes }, directory)
const origin = { origin: url }
type Cookies = Record<string, string>

const CLEARED = { '__Host-access': '', '__Secure-refresh': '' }

/** Returns the cookies of a session that was ended from another device. */
async function endedCookies(): Promise<Cookies> {
  const cookies = await logInByCookies(url)
  await call(url, 'POST', '/auth/logout', { token: cookies['__Host-access'] })
  return cookies
}

t.test('the cookie of an ended session is anonymous on an optional route, and is deleted', async (t) => {
  const cookies = await endedCookies()
  const { status, setCookie } = await call(url, 'GET', '/optional', { cookies })
  t.equal(status, 200)
  t.strictSame(cookiesOf(setCookie), { ...CLEARED, theirs: '1' })
  t.notOk(upstream.seen.at(-1)!.headers['x-forwarded-user'])
  isRefused(t, await call(url, 'GET', '/required', { cookies }), 401, 'session_ended')
  const token = cookies['__Host-access']!
  isRefused(t, await call(url, 'GET', '/optional', { token }), 401, 'session_ended', 'a token in a header')
  const foreign = await call(url, 'POST', '/optional', {
    cookies,
    headers: { origin: 'https://evil.example' },
  })
  isRefused(t, foreign, 403, 'cross_site_request')
  const checked = await call(url, 'GET', '/auth/verify', { cookies })
  t.strictSame(checked.setCookie, [], 'forward-auth sets no cookies')
})

t.test(
  'an expired or invalid token in a cookie is anonymous on an optional route, and remains for a refresh',
  async (t) => {
    const cookies = await logInByCookies(url)
    const token = cookies['__Host-access']!
    for (const bad of [`${token.slice(0, -4)}AAAA`, await expired(directory, token)]) {
      const { status, setCookie } = await call(url, 'GET', '/optional', {
        cookies: { ...cookies, '__Host-access': bad },
      })
      t.equal(status, 200, bad)
      t.strictSame(cookiesOf(setCookie), { theirs: '1' })
      t.notOk(upstream.seen.at(-1)!.headers['x-forwarded-user'])
    }
    t.equal((await call(url, 'POST', '/auth/refresh', { cookies, headers: origin })).status, 200)
    const garbage = await call(url, 'GET', '/optional', { cookies: { '__Host-access': 'garbage' } })
    isRefused(t, garbage, 401, 'token_malformed', 'a cookie that was never set by a login')
  },
)

t.test('in an application, the guard does the same', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(portcullis, {
    ...sharedSettings(directory),
    login: ({ username }) => ({ sub: username }),
  })
  app.get('/optional', { onRequest: authenticate.optional }, async (request) => ({ auth: request.auth }))
  const base = await app.listen({ host: '127.0.0.1', port: 0 })
  const cookies = await logInByCookies(base)
  t.equal((await call(base, 'GET', '/optional', { cookies })).body.auth.sub, 'ada')
  await call(base, 'POST', '/auth/logout', { token: cookies['__Host-access'] })
  const { status, body, setCookie } = await call(base, 'GET', '/optional', { cookies })
  t.strictSame([status, body, cookiesOf(setCookie)], [200, { auth: null }, CLEARED])
})

t.test('a refresh by cookie that can’t succeed any more deletes the cookies', async (t) => {
  const { '__Secure-refresh': refresh = '' } = await endedCookies()
  const bad = { '__Secure-refresh': 'invented' }
  for (const [cookies, code] of [
    [{ '__Secure-refresh': refresh }, 'session_ended'],
    [bad, 'refresh_token_invalid'],
  ] as const) {
    const answer = await call(url, 'POST', '/auth/refresh', { cookies, headers: origin })
    isRefused(t, answer, 401, code)
    t.strictSame(cookiesOf(answer.setCookie), CLEARED)
  }
  const foreign = { cookies: bad, headers: { origin: 'https://evil.example' } }
  t.strictSame(
    (await call(url, 'POST', '/auth/refresh', foreign)).setCookie,
    [],
    'another site deletes nothing',
  )
  const inBody = await call(url, 'POST', '/auth/refresh', { json: { refresh_token: refresh } })
  isRefused(t, inBody, 401, 'session_ended')
  t.strictSame(inBody.setCookie, [])
})

t.test('an expired token in a cookie is token_expired, because the cookie outlives it', async (t) => {
  const json = { username: 'ada', password: USERS.ada, cookies: true }
  const { setCookie, body } = await call(url, 'POST', '/auth/login', { json, headers: origin })
  for (const line of setCookie) t.match(line, `; Max-Age=${body.refresh_expires_in};`)
  t.ok(body.refresh_expires_in > body.expires_in)
  const cookies = cookiesOf(setCookie)
  const token = await expired(directory, cookies['__Host-access']!)
  isRefused(t, await call(url, 'GET', '/x', { cookies: { '__Host-access': token } }), 401, 'token_expired')
})
