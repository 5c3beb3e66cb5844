/** An attacker fills Redis. Then nobody may log in, but whoever is logged in works on, and can be logged out. */
import t from 'tap'
import { USERS, call, isRefused, logIn, serveGateway, soon } from '../support/gateway-process.js'
import { ADMIN } from '../support/gateway-instances.js'
import { connect, startRedis } from '../support/redis.js'

t.test(
  'logins leave room for everything else, and a full Redis still takes logouts and revokes',
  async (t) => {
    const redis = await startRedis(t)
    const server = connect(t, redis.url)
    const gateway = await serveGateway(t, { store: redis.url, admin: ADMIN })
    const { url } = gateway
    const limit = (bytes: number) => server.config('SET', 'maxmemory', String(bytes))
    const used = async () => Number(/^used_memory:(\d+)/m.exec(await server.info('memory'))![1])
    const ready = () => call(gateway.adminUrl!, 'GET', '/readyz')
    const logInAgain = (password: string = USERS.ada) =>
      call(url, 'POST', '/auth/login', { json: { username: 'ada', password } })
    const isGuarded = async (token: string) => (await call(url, 'GET', '/auth/me', { token })).status
    const [one, two, three] = [await logIn(url), await logIn(url), await logIn(url)]
    t.match((await ready()).body, { status: 'ready', store: 'reachable' })

    // The rest, some 10 MB, is enough for the refresh and all that a running gateway needs.
    await server.setrange('filling', 100_000_000, 'x')
    await limit(Math.ceil((await used()) / 0.92))
    await soon('the gateway notices, and stays ready', async () => {
      const { status, body } = await ready()
      return status === 200 && body.store === 'full'
    })
    t.strictSame(
      (await call(url, 'GET', '/readyz')).body,
      { status: 'ready' },
      'a balancer sends requests as before',
    )
    isRefused(t, await logInAgain(), 503, 'overloaded')
    isRefused(t, await logInAgain('wrong'), 503, 'overloaded', 'nothing is counted either')
    t.strictSame(await server.keys('portcullis:limit:login-account:*'), [])
    t.equal(await isGuarded(one.access_token), 200)
    const json = { refresh_token: one.refresh_token }
    t.equal((await call(url, 'POST', '/auth/refresh', { json })).status, 200)
    const { text } = await call(gateway.adminUrl!, 'GET', '/metrics')
    t.ok(Number(/^portcullis_redis_memory_ratio (\S+)/m.exec(text)?.[1]) > 0.9)
    t.match(
      gateway.records().find(({ event }) => event === 'store_full'),
      { level: 40, used: /^0.9/ },
    )

    await limit(1)
    await t.rejects(server.set('x', '1'), { message: /^OOM/ }, 'the fault took place')
    // Every lease from before has ended by then.
    await new Promise((resolve) => setTimeout(resolve, 1_200))
    await soon('a lease is renewed', async () => (await isGuarded(two.access_token)) === 200, 10_000)
    isRefused(t, await logInAgain(), 503, 'overloaded')
    t.equal((await call(url, 'POST', '/auth/logout', { token: two.access_token })).status, 204)
    isRefused(t, await call(url, 'GET', '/auth/me', { token: two.access_token }), 401, 'session_ended')
    const revoked = await call(gateway.adminUrl!, 'POST', '/api/revocations', {
      token: ADMIN.token,
      json: { sid: three.session_id },
    })
    t.ok(revoked.status < 300, `${revoked.status}`)
    isRefused(t, await call(url, 'GET', '/auth/me', { token: three.access_token }), 401, 'session_ended')
    t.equal(
      (await call(url, 'POST', '/auth/logout', { token: one.access_token, json: { all: true } })).status,
      204,
    )

    await limit(0)
    await soon('there is room again', async () => (await logInAgain()).status === 200)
    t.match((await ready()).body, { store: 'reachable' })
    t.ok(gateway.records().some(({ event }) => event === 'store_has_room'))
  },
)
