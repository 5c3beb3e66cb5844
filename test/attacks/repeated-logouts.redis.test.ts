/** An attacker logs out with one token again and again: each request must not add to Redis, nor be without limit. */
import t from 'tap'
import { call, expired, home, isRefused, logIn, startGateway } from '../support/gateway-process.js'
import type { Overrides } from '../support/gateway-process.js'
import { cleanUp, connect, redisUrl, uniquePrefix } from '../support/redis.js'
import type { Test } from 'tap'

async function setUp(t: Test, overrides: Overrides) {
  const keyPrefix = uniquePrefix()
  cleanUp(t, keyPrefix)
  const directory = await home(t)
  const { url } = await startGateway(t, { store: redisUrl(), keyPrefix, ...overrides }, directory)
  const server = connect(t, redisUrl())
  return {
    url,
    directory,
    entries: () => server.xlen(`{${keyPrefix}}:log`),
    denial: (sid: string) => server.get(`{${keyPrefix}}:deny:sid:${sid}`),
    forget: (sid: string) => server.del(`${keyPrefix}:session:${sid}`),
  }
}

const logOut = (url: string, token: string) => call(url, 'POST', '/auth/logout', { token })

for (const check of ['replica', 'redis']) {
  t.test(`what is in the denylist isn’t written again (check: ${check})`, async (t) => {
    const { url, directory, entries, denial, forget } = await setUp(t, { revocation: { check } })
    const [one, lost, stolen] = [await logIn(url), await logIn(url), await logIn(url)]
    t.equal(await forget(lost.session_id), 1)
    const refresh = (refresh_token: string) => call(url, 'POST', '/auth/refresh', { json: { refresh_token } })
    await refresh((await refresh(stolen.refresh_token)).body.refresh_token)
    isRefused(t, await refresh(stolen.refresh_token), 401, 'refresh_token_reused')
    const old = await expired(directory, one.access_token)
    const repeated: (() => Promise<{ status: number }>)[] = [
      () => logOut(url, one.access_token),
      () => logOut(url, old),
      () => logOut(url, lost.access_token),
      () => refresh(stolen.refresh_token),
    ]
    for (const repeat of repeated) await repeat()
    const [length, written] = [await entries(), await denial(one.session_id)]
    t.ok(written)
    for (let i = 0; i < 10; i += 1)
      for (const repeat of repeated) t.ok([204, 401].includes((await repeat()).status))
    t.equal(await entries(), length)
    t.equal(await denial(one.session_id), written, 'nor lengthened')
    isRefused(t, await call(url, 'GET', '/auth/me', { token: one.access_token }), 401, 'session_ended')
  })
}

t.test(
  'logouts by tokens that admit nothing are limited by session, logouts by good ones aren’t',
  async (t) => {
    const { url, directory } = await setUp(t, { rateLimit: { refresh: { perAddress: { max: 3 } } } })
    const [one, two] = [await logIn(url), await logIn(url)]
    const old = await expired(directory, one.access_token)
    t.equal((await logOut(url, old)).status, 204)
    for (let i = 0; i < 2; i += 1) t.equal((await logOut(url, one.access_token)).status, 204)
    isRefused(t, await logOut(url, old), 429, 'rate_limited')
    isRefused(t, await logOut(url, one.access_token), 429, 'rate_limited')
    t.equal((await logOut(url, two.access_token)).status, 204)
  },
)

t.test('repeated logouts of one session stop no refresh and no logout of another one', async (t) => {
  const { url, directory } = await setUp(t, { rateLimit: { refresh: { perAddress: { max: 3 } } } })
  const post = (path: string, { refresh_token }: { refresh_token: string }) =>
    call(url, 'POST', `/auth/${path}`, { json: { refresh_token } })
  const [byAccess, byRefresh, one, two] = [
    await logIn(url),
    await logIn(url),
    await logIn(url),
    await logIn(url),
  ]
  const three = await logIn(url)
  t.equal((await logOut(url, byAccess.access_token)).status, 204)
  for (const repeat of [() => logOut(url, byAccess.access_token), () => post('logout', byRefresh)]) {
    for (let i = 0; i < 3; i += 1) t.equal((await repeat()).status, 204)
    isRefused(t, await repeat(), 429, 'rate_limited')
  }
  t.equal((await post('refresh', one)).status, 200)
  t.equal((await post('logout', two)).status, 204)
  t.equal((await logOut(url, await expired(directory, three.access_token))).status, 204)
})
