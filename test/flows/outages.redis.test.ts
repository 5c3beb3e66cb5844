/** Redis killed, frozen, and absent at the start: two real processes, measured from outside. */
import t from 'tap'
import type { Test } from 'tap'
import type { Answer, GatewayProcess, Tokens } from '../support/gateway-process.js'
import {
  USERS,
  call,
  home,
  isRefused,
  logIn,
  logInByCookies,
  serveGateway,
  soon,
  startUpstream,
} from '../support/gateway-process.js'
import { connect, freePort, startRedis } from '../support/redis.js'

const BOUND_MILLISECONDS = 2_000
const RECOVERY_MILLISECONDS = 5_000

async function twoGateways(
  t: Test,
  store: string,
  directory?: string,
): Promise<[GatewayProcess, GatewayProcess]> {
  const upstream = await startUpstream(t)
  const shared = directory ?? (await home(t))
  const settings = {
    store,
    // Each request asks Redis: so each one notices.
    revocation: { check: 'redis' },
    rateLimit: { refresh: { perAddress: { max: 10_000 } } },
    routes: [
      { path: '/open', upstream: upstream.url, auth: 'none' },
      { path: '/', upstream: upstream.url },
    ],
  }
  return Promise.all([serveGateway(t, settings, shared), serveGateway(t, settings, shared)])
}

/** Tokens for what is tried during an outage. What is tried may still come true later, so each has its own session. */
interface Victims {
  readonly kept: Tokens
  readonly ended: Tokens
  readonly endedByRefresh: Tokens
  readonly cookies: Record<string, string>
}

async function victims(base: string): Promise<Victims> {
  return {
    kept: await logIn(base),
    ended: await logIn(base, 'bob'),
    endedByRefresh: await logIn(base),
    cookies: await logInByCookies(base),
  }
}

type Attempt = (base: string) => Promise<Answer>

/** Every way in that needs the store. */
function attempts({ kept, ended, endedByRefresh, cookies }: Victims): Record<string, Attempt> {
  const refreshed = (refresh_token: string) => ({ json: { refresh_token } })
  return {
    login: (base) => call(base, 'POST', '/auth/login', { json: { username: 'ada', password: USERS.ada } }),
    refresh: (base) => call(base, 'POST', '/auth/refresh', refreshed(kept.refresh_token)),
    logout: (base) => call(base, 'POST', '/auth/logout', { token: ended.access_token }),
    'logout by refresh token': (base) =>
      call(base, 'POST', '/auth/logout', refreshed(endedByRefresh.refresh_token)),
    'logout by cookies': (base) => call(base, 'POST', '/auth/logout', { cookies, headers: { origin: base } }),
    'logout of all': (base) =>
      call(base, 'POST', '/auth/logout', { token: ended.access_token, json: { all: true } }),
    'refresh by cookie': (base) =>
      call(base, 'POST', '/auth/refresh', {
        cookies: { '__Secure-refresh': cookies['__Secure-refresh']! },
        headers: { origin: base },
      }),
    'proxied call': (base) => call(base, 'GET', '/guarded', { token: kept.access_token }),
    me: (base) => call(base, 'GET', '/auth/me', { token: kept.access_token }),
    sessions: (base) => call(base, 'GET', '/auth/sessions', { token: kept.access_token }),
    'end of a session': (base) =>
      call(base, 'DELETE', `/auth/sessions/${endedByRefresh.session_id}`, { token: kept.access_token }),
  }
}

/** All of it is refused as it must be, in time; what needs no store goes on. */
async function isOut(
  t: Test,
  gateways: readonly GatewayProcess[],
  ways: Record<string, Attempt>,
): Promise<void> {
  const slowest: Record<string, number> = {}
  const unexpected: object[] = []
  const judge = (what: string, { status, headers, body, setCookie, milliseconds }: Answer) => {
    slowest[what] = Math.max(slowest[what] ?? 0, Math.round(milliseconds))
    const isRight =
      status === 503 &&
      body?.code === 'store_unavailable' &&
      /^\d+$/.test(String(headers['retry-after'])) &&
      setCookie.length === 0
    if (!isRight) unexpected.push({ what, status, body, setCookie })
  }
  const wrong = { json: { username: 'nobody', password: 'wrong' } }
  const crowd = (each: readonly (readonly [string, Attempt])[], times: number) =>
    Promise.all(
      each.flatMap(([what, attempt]) =>
        Array.from({ length: times }, async (_, i) => judge(what, await attempt(gateways[i % 2]!.url))),
      ),
    )
  // All at once, while nobody has noticed yet; one by one; 20 of a kind at once.
  await crowd(Object.entries(ways), 2)
  for (const { url } of gateways) {
    for (const [what, attempt] of Object.entries(ways)) judge(what, await attempt(url))
    const ready = await call(url, 'GET', '/readyz')
    t.match(ready, { status: 503, headers: { 'retry-after': /^\d+$/ } }, 'readyz')
    const failed = await call(url, 'POST', '/auth/login', wrong)
    isRefused(t, failed, 401, 'invalid_credentials', 'a wrong password is told without the store')
    const [health, open, jwks] = await Promise.all(
      ['/healthz', '/open', '/.well-known/jwks.json'].map((path) => call(url, 'GET', path)),
    )
    for (const { status } of [health!, open!, jwks!]) t.equal(status, 200, 'what needs no store')
    slowest['readyz'] = Math.round(ready.milliseconds)
    slowest['wrong password'] = Math.round(failed.milliseconds)
    slowest['healthz'] = Math.round(health!.milliseconds)
    slowest['open'] = Math.round(open!.milliseconds)
  }
  for (const way of Object.entries(ways)) await crowd([way], 20)
  t.strictSame(unexpected, [], 'all are 503 store_unavailable with Retry-After, and no cookie is touched')
  t.ok(Math.max(...Object.values(slowest)) < BOUND_MILLISECONDS, 'all in time', { found: slowest })
  t.comment(`slowest, ms: ${JSON.stringify(slowest)}`)
}

async function untilReady(gateways: readonly GatewayProcess[]): Promise<void> {
  const areReady = async () => {
    const answers = await Promise.all(gateways.map(({ url }) => call(url, 'GET', '/readyz')))
    return answers.every(({ status }) => status === 200)
  }
  await soon('all are ready again by themselves', areReady, RECOVERY_MILLISECONDS)
}

/** New sessions live and die on both instances as ever. */
async function works(t: Test, [one, two]: readonly [GatewayProcess, GatewayProcess]): Promise<void> {
  const { access_token: token, refresh_token } = await logIn(one.url)
  t.equal((await call(two.url, 'GET', '/guarded', { token })).status, 200)
  t.equal((await call(two.url, 'POST', '/auth/refresh', { json: { refresh_token } })).status, 200)
  t.equal((await call(one.url, 'POST', '/auth/logout', { token })).status, 204)
  isRefused(t, await call(two.url, 'GET', '/guarded', { token }), 401, 'session_ended')
}

t.test('Redis killed, and restarted empty', async (t) => {
  const redis = await startRedis(t)
  const gateways = await twoGateways(t, redis.url)
  const ways = attempts(await victims(gateways[0].url))
  await redis.kill()
  await t.rejects(connect(t, redis.url).ping(), 'the fault took place')
  await isOut(t, gateways, ways)
  await redis.start()
  await untilReady(gateways)
  await works(t, gateways)
})

t.test('Redis frozen and thawed: sessions survive, and a failed logout can be repeated', async (t) => {
  const redis = await startRedis(t)
  const gateways = await twoGateways(t, redis.url)
  const [{ url: here }, { url: there }] = gateways
  const untouched = await logIn(here)
  const sessions = await victims(here)
  const ways = attempts(sessions)
  await redis.freeze()
  await t.rejects(connect(t, redis.url, { commandTimeout: 200 }).ping(), 'the fault took place')
  await isOut(t, gateways, ways)
  await redis.thaw()
  await untilReady(gateways)
  await works(t, gateways)

  t.equal((await call(there, 'GET', '/guarded', { token: untouched.access_token })).status, 200)
  const refresh = { json: { refresh_token: untouched.refresh_token } }
  t.equal((await call(there, 'POST', '/auth/refresh', refresh)).status, 200)
  const { ended, endedByRefresh, cookies } = sessions
  for (const [attempt, token] of [
    [ways['logout']!, ended.access_token],
    [ways['logout by refresh token']!, endedByRefresh.access_token],
    [ways['logout by cookies']!, cookies['__Host-access']],
  ] as const) {
    t.equal((await attempt(here)).status, 204)
    for (const base of [here, there])
      isRefused(t, await call(base, 'GET', '/guarded', { token }), 401, 'session_ended')
  }
})

t.test('Redis absent at the start', async (t) => {
  const port = await freePort()
  const store = `redis://127.0.0.1:${port}`
  await t.rejects(connect(t, store).ping(), 'the fault took place')
  const directory = await home(t)
  // Tokens that would be good, from an instance whose Redis is there.
  const elsewhere = await serveGateway(
    t,
    { store: (await startRedis(t)).url, revocation: { check: 'redis' } },
    directory,
  )
  const ways = attempts(await victims(elsewhere.url))
  const gateways = await twoGateways(t, store, directory)
  await isOut(t, gateways, ways)
  await startRedis(t, { port })
  await untilReady(gateways)
  await works(t, gateways)
})
