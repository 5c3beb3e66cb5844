import t from 'tap'
import {
  call,
  home,
  isRefused,
  logIn,
  soon,
  startGateway,
  startUpstream,
} from '../support/gateway-process.js'
import { cleanUp, connect, redisUrl, startRedis, uniquePrefix } from '../support/redis.js'

t.test('instances count together, by subject and by address', async (t) => {
  const upstream = await startUpstream(t)
  const keyPrefix = uniquePrefix()
  cleanUp(t, keyPrefix)
  const directory = await home(t)
  const limit = { max: 4, per: '10m' }
  const settings = {
    store: redisUrl(),
    keyPrefix,
    routes: [
      { path: '/subject', upstream: upstream.url, rateLimit: limit },
      { path: '/address', upstream: upstream.url, auth: 'none', rateLimit: { ...limit, by: 'address' } },
    ],
  }
  const [one, two] = [await startGateway(t, settings, directory), await startGateway(t, settings, directory)]
  const { access_token: token } = await logIn(one.url)
  for (const [path, options] of [
    ['/subject', { token }],
    ['/address', {}],
  ] as const) {
    for (const { url } of [one, two, one, two])
      t.equal((await call(url, 'GET', path, options)).status, 200, path)
    for (const { url } of [one, two]) {
      const answer = await call(url, 'GET', path, options)
      isRefused(t, answer, 429, 'rate_limited', path)
      t.ok(Number(answer.headers['retry-after']) > 500)
    }
  }
  const redis = connect(t)
  const keys = await redis.keys(`${keyPrefix}:limit:route:*`)
  t.strictSame(keys.toSorted(), [
    `${keyPrefix}:limit:route:*:/address:address:127.0.0.1`,
    `${keyPrefix}:limit:route:*:/subject:sub:ada`,
  ])
  for (const key of keys) t.ok((await redis.pttl(key)) > 0, 'they don’t live for ever')
})

t.test('while Redis is away each instance counts by itself', async (t) => {
  const upstream = await startUpstream(t)
  const redis = await startRedis(t)
  const { url } = await startGateway(t, {
    store: redis.url,
    routes: [
      { path: '/', upstream: upstream.url, auth: 'none', rateLimit: { max: 3, per: '10m', by: 'address' } },
    ],
  })
  t.equal((await call(url, 'GET', '/')).status, 200)
  await redis.freeze()
  await t.rejects(connect(t, redis.url, { commandTimeout: 300 }).ping(), 'the fault took place')
  const statuses: number[] = []
  for (let i = 0; i < 5; i++) {
    const answer = await call(url, 'GET', '/')
    statuses.push(answer.status)
    t.ok(answer.milliseconds < 2_000, `${answer.milliseconds} ms`)
  }
  t.strictSame(statuses, [200, 200, 200, 429, 429])
  await redis.thaw()
  await soon('Redis counts again', async () => (await call(url, 'GET', '/')).status === 200)
})

t.test('limits with different counts and times are separate in Redis', async (t) => {
  const upstream = await startUpstream(t)
  const keyPrefix = uniquePrefix()
  cleanUp(t, keyPrefix)
  const route = { upstream: upstream.url, auth: 'none' }
  const { url } = await startGateway(t, {
    store: redisUrl(),
    keyPrefix,
    routes: [
      { ...route, path: '/one', rateLimit: { max: 1, per: '10m' } },
      { ...route, path: '/two', rateLimit: { max: 2, per: '1h' } },
    ],
  })
  const statuses: number[] = []
  for (const path of ['/one', '/two', '/one', '/two', '/two'])
    statuses.push((await call(url, 'GET', path)).status)
  t.strictSame(statuses, [200, 200, 429, 200, 429])
  const redis = connect(t)
  const life = (path: string) => redis.pttl(`${keyPrefix}:limit:route:*:${path}:address:127.0.0.1`)
  const [one, two] = [await life('/one'), await life('/two')]
  t.ok(one > 0 && one <= 600_000, `${one} ms`)
  t.ok(two > 600_000 && two <= 3_600_000, `${two} ms`)
})
