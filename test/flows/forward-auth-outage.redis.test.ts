/** What isn't known isn't passed: forward-auth while Redis is away. */
import t from 'tap'
import { call, isRefused, logIn, soon, startGateway } from '../support/gateway-process.js'
import { startRedis, uniquePrefix } from '../support/redis.js'

const redis = await startRedis(t)
const { url } = await startGateway(t, {
  store: redis.url,
  keyPrefix: uniquePrefix(),
  listen: { host: '127.0.0.1', port: 0, trustProxy: ['127.0.0.1'] },
  routes: [
    { path: '/open', auth: 'none' },
    { path: '/lenient', onOutage: 'open' },
    { path: '/limited', auth: 'none', rateLimit: { max: 1, per: '1m' } },
    { path: '/' },
  ],
})
const { access_token: token } = await logIn(url)
const ask = (uri: string, bearer: string | undefined = token) =>
  call(url, 'GET', '/auth/verify', {
    token: bearer,
    headers: { 'x-original-method': 'GET', 'x-original-uri': uri },
  })

t.test(
  '503 with Retry-After; a route with onOutage says what it did; a bad token is still bad',
  async (t) => {
    t.equal((await ask('/private')).status, 200)
    await redis.kill()
    // The lease of the last sync holds for up to a second.
    await soon('the lease is over', async () => (await ask('/private')).status !== 200)
    for (const answer of [await ask('/private'), await call(url, 'GET', '/auth/verify', { token })]) {
      isRefused(t, answer, 503, 'store_unavailable')
      t.ok(answer.milliseconds < 2000, `within 2 s: ${answer.milliseconds}`)
    }
    const { status, headers } = await ask('/lenient')
    t.strictSame([status, headers['x-portcullis-outage'], headers['x-forwarded-user']], [200, 'open', 'ada'])
    isRefused(t, await ask('/private', 'a.b.c'), 401, 'token_malformed')
    t.equal((await call(url, 'GET', '/auth/verify/open')).status, 200, 'what needs no token needs no store')
    await redis.start()
    await soon('it passes again', async () => (await ask('/open')).status === 200)
  },
)

t.test('each instance counts a route’s rate limit by itself', async (t) => {
  t.equal((await ask('/limited')).status, 200)
  isRefused(t, await ask('/limited'), 429, 'rate_limited')
})
