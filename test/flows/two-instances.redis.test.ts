/** What one instance decides, the other knows: both on one Redis, with one directory of keys. */
import t from 'tap'
import type { Tokens } from '../support/gateway-process.js'
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
import { cleanUp, redisUrl, uniquePrefix } from '../support/redis.js'

const keyPrefix = uniquePrefix()
cleanUp(t, keyPrefix)
const directory = await home(t)
const settings = { store: redisUrl(), keyPrefix }
const [{ url: here }, { url: there }] = [
  await startGateway(t, settings, directory),
  await startGateway(t, settings, directory),
]
const me = (base: string, token: string) => call(base, 'GET', '/auth/me', { token })
const refresh = (base: string, refresh_token: string) =>
  call(base, 'POST', '/auth/refresh', { json: { refresh_token } })
const logout = (base: string, token?: string, json?: unknown) =>
  call(base, 'POST', '/auth/logout', { token, json })

/** On both instances the access token is refused, and the refresh token too. */
async function isDead(
  t: Parameters<typeof isRefused>[0],
  { access_token, refresh_token }: Tokens,
): Promise<void> {
  for (const base of [here, there]) {
    isRefused(t, await me(base, access_token), 401, 'session_ended')
    t.equal((await refresh(base, refresh_token)).body.code, 'session_ended')
  }
}

t.test('a token of one instance is valid on the other, and ends on both', async (t) => {
  const tokens = await logIn(here)
  t.equal((await me(there, tokens.access_token)).status, 200)
  t.equal((await logout(there, tokens.access_token)).status, 204)
  await isDead(t, tokens)
  t.equal((await logout(here, tokens.access_token)).status, 204, 'again')
})

t.test('a used refresh token ends its session on all instances, and no other one', async (t) => {
  const [stolen, sibling] = [await logIn(here), await logIn(there)]
  const first = (await refresh(there, stolen.refresh_token)).body as Tokens
  const second = (await refresh(here, first.refresh_token)).body as Tokens
  isRefused(t, await refresh(there, stolen.refresh_token), 401, 'refresh_token_reused')
  for (const { access_token, refresh_token } of [stolen, first, second]) {
    for (const base of [here, there]) isRefused(t, await me(base, access_token), 401, 'session_ended')
    isRefused(t, await refresh(here, refresh_token), 401, 'session_ended')
  }
  t.equal((await me(here, sibling.access_token)).status, 200)
  t.equal((await refresh(here, sibling.refresh_token)).status, 200)
})

t.test('24 parallel uses of one token over both instances yield one successor', async (t) => {
  const { refresh_token } = await logIn(here)
  const bases = Array.from({ length: 24 }, (_, i) => (i % 2 ? here : there))
  const answers = await Promise.all(bases.map((base) => refresh(base, refresh_token)))
  t.ok(answers.every(({ status }) => status === 200))
  const successors = new Set(answers.map(({ body }) => body.refresh_token as string))
  t.equal(successors.size, 1)
  const { sessions } = (await call(here, 'GET', '/auth/sessions', { token: answers[0]!.body.access_token }))
    .body
  t.equal(sessions.length >= 1, true)
  t.equal((await refresh(there, [...successors][0]!)).status, 200)
})

t.test('15 rounds of a logout concurrent with refreshes leave nothing alive', async (t) => {
  for (let round = 0; round < 15; round++) {
    const tokens = await logIn(here)
    const [ended, ...refreshed] = await Promise.all([
      logout(round % 2 ? here : there, tokens.access_token),
      ...[here, there, here, there].map((base) => refresh(base, tokens.refresh_token)),
    ])
    t.equal(ended!.status, 204)
    const born = refreshed.filter(({ status }) => status === 200).map(({ body }) => body as Tokens)
    const alive = [tokens, ...born].flatMap(({ access_token, refresh_token }) =>
      [here, there].flatMap((base) => [me(base, access_token), refresh(base, refresh_token)]),
    )
    const statuses = (await Promise.all(alive)).map(({ status }) => status)
    t.ok(
      statuses.every((status) => status === 401),
      `round ${round}: ${born.length} refreshes won, all died`,
    )
  }
})

t.test('a logout by cookies, by refresh token alone, by an expired token: ended everywhere', async (t) => {
  const cookies = await logInByCookies(here)
  const answer = await call(there, 'POST', '/auth/logout', { cookies, headers: { origin: there } })
  t.equal(answer.status, 204)
  t.strictSame(cookiesOf(answer.setCookie), { '__Host-access': '', '__Secure-refresh': '' })
  for (const base of [here, there])
    isRefused(t, await me(base, cookies['__Host-access']!), 401, 'session_ended')

  const byRefresh = await logIn(here)
  t.equal((await logout(there, undefined, { refresh_token: byRefresh.refresh_token })).status, 204)
  await isDead(t, byRefresh)

  const byExpired = await logIn(here)
  t.equal((await logout(there, await expired(directory, byExpired.access_token))).status, 204)
  await isDead(t, byExpired)
})

t.test('all, and all but the current session, end sessions of other instances', async (t) => {
  const [one, two, other] = [await logIn(here), await logIn(there), await logIn(there, 'bob')]
  t.equal((await logout(here, one.access_token, { all: true, keepCurrent: true })).status, 204)
  await isDead(t, two)
  t.equal((await me(there, one.access_token)).status, 200)
  const three = await logIn(there)
  t.equal((await logout(here, three.access_token, { all: true })).status, 204)
  await isDead(t, one)
  await isDead(t, three)
  t.equal((await me(here, other.access_token)).status, 200)
})

t.test('sessions are listed and ended across instances; a foreign one is 404', async (t) => {
  const [one, two] = [await logIn(here, 'bob'), await logIn(there, 'bob')]
  const foreign = await logIn(there)
  const sids = async (base: string, token: string) =>
    (await call(base, 'GET', '/auth/sessions', { token })).body.sessions.map(
      ({ sid }: { sid: string }) => sid,
    )
  const before = await sids(here, one.access_token)
  t.ok(
    before.includes(one.session_id) &&
      before.includes(two.session_id) &&
      !before.includes(foreign.session_id),
  )
  const end = (sid: string) => call(here, 'DELETE', `/auth/sessions/${sid}`, { token: one.access_token })
  isRefused(t, await end(foreign.session_id), 404, 'not_found')
  isRefused(t, await end('A'.repeat(22)), 404, 'not_found')
  t.equal((await me(there, foreign.access_token)).status, 200)
  t.equal((await end(two.session_id)).status, 204)
  await isDead(t, two)
  t.notOk((await sids(there, one.access_token)).includes(two.session_id))
})

t.test('a retry on the other instance gets the same successor, until that was used', async (t) => {
  const { refresh_token } = await logIn(here)
  const one = (await refresh(here, refresh_token)).body as Tokens
  const two = (await refresh(there, refresh_token)).body as Tokens
  t.equal(two.refresh_token, one.refresh_token)
  t.equal((await refresh(there, one.refresh_token)).status, 200)
  isRefused(t, await refresh(here, refresh_token), 401, 'refresh_token_reused')
})
