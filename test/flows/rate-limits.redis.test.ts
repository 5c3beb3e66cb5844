import t from 'tap'
import { USERS, call, home, isRefused, logIn, soon, startGateway } from '../support/gateway-process.js'
import { cleanUp, connect, redisUrl, startRedis, uniquePrefix } from '../support/redis.js'

const wrong = (base: string, username = 'ada') =>
  call(base, 'POST', '/auth/login', { json: { username, password: 'wrong' } })

t.test('instances count together', async (t) => {
  const keyPrefix = uniquePrefix()
  cleanUp(t, keyPrefix)
  const directory = await home(t)
  const settings = { store: redisUrl(), keyPrefix, rateLimit: { refresh: { perAddress: { max: 4 } } } }
  const [one, two] = [await startGateway(t, settings, directory), await startGateway(t, settings, directory)]
  for (let i = 0; i < 10; i++) t.equal((await wrong(i % 2 ? one.url : two.url)).status, 401)
  for (const { url } of [one, two]) {
    const limited = await wrong(url)
    isRefused(t, limited, 429, 'rate_limited')
    t.ok(Number(limited.headers['retry-after']) > 800)
  }
  const { refresh_token } = await logIn(one.url, 'bob')
  const refresh = (base: string) => call(base, 'POST', '/auth/refresh', { json: { refresh_token } })
  for (const { url } of [one, two, one, two]) t.equal((await refresh(url)).status, 200)
  for (const { url } of [one, two]) isRefused(t, await refresh(url), 429, 'rate_limited')
})

t.test('while Redis is down each instance counts by itself, and together again afterwards', async (t) => {
  const redis = await startRedis(t)
  const { url } = await startGateway(t, {
    store: redis.url,
    rateLimit: { login: { perAccount: { failures: 3 } } },
  })
  await wrong(url)
  await redis.kill()
  await t.rejects(connect(t, redis.url).ping(), 'the fault took place')
  for (let i = 0; i < 3; i++) {
    const answer = await wrong(url)
    isRefused(t, answer, 401, 'invalid_credentials', 'a wrong password needs no store')
    t.ok(answer.milliseconds < 2_000)
  }
  isRefused(t, await wrong(url), 429, 'rate_limited', 'guessing is bounded still')
  const json = { username: 'bob', password: USERS.bob }
  isRefused(
    t,
    await call(url, 'POST', '/auth/login', { json }),
    503,
    'store_unavailable',
    'a right one needs it',
  )
  await redis.start()
  await soon('it is ready again', async () => (await call(url, 'GET', '/readyz')).status === 200, 5_000)
  await soon(
    'Redis, which has forgotten, is asked again',
    async () => (await wrong(url)).status === 401,
    5_000,
  )
})
