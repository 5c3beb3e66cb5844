import t from 'tap'
import { call, isRefused, logIn, startGateway, startUpstream } from '../support/gateway-process.js'

const rateLimit = { max: 3, per: '10m' }

/** The statuses of that many calls, and the last answer. */
async function calls(count: number, one: () => ReturnType<typeof call>) {
  const statuses: number[] = []
  let last!: Awaited<ReturnType<typeof call>>
  for (let i = 0; i < count; i++) statuses.push((last = await one()).status)
  return { statuses, last }
}

t.test('by subject: all tokens of a subject count together, apart from other subjects', async (t) => {
  const upstream = await startUpstream(t)
  const { url } = await startGateway(t, {
    routes: [
      { path: '/limited', upstream: upstream.url, rateLimit },
      { path: '/', upstream: upstream.url },
    ],
  })
  const [first, second, bob] = [await logIn(url), await logIn(url), await logIn(url, 'bob')]
  const get = (token: string, path = '/limited/x') => call(url, 'GET', path, { token })
  t.strictSame((await calls(2, () => get(first.access_token))).statuses, [200, 200])
  t.strictSame((await calls(2, () => get(second.access_token))).statuses, [200, 429])
  const { last } = await calls(1, () => get(first.access_token))
  isRefused(t, last, 429, 'rate_limited')
  const seconds = Number(last.headers['retry-after'])
  t.ok(seconds > 500 && seconds <= 600, `${seconds} s`)
  t.equal(upstream.seen.length, 3, 'what is refused isn’t forwarded')
  t.strictSame((await calls(4, () => get(bob.access_token))).statuses, [200, 200, 200, 429])
  t.equal((await get(first.access_token, '/elsewhere')).status, 200, 'other routes don’t count')
})

t.test('by subject: refused requests don’t count, and anonymous ones count by address', async (t) => {
  const upstream = await startUpstream(t)
  const { url } = await startGateway(t, {
    listen: { host: '127.0.0.1', port: 0, trustProxy: ['127.0.0.1'] },
    routes: [
      { path: '/scoped', upstream: upstream.url, scope: ['admin'], rateLimit: { ...rateLimit, max: 1 } },
      { path: '/', upstream: upstream.url, auth: 'optional', rateLimit },
    ],
  })
  const ended = (await logIn(url)).access_token
  await call(url, 'POST', '/auth/logout', { token: ended })
  const { access_token: token } = await logIn(url)
  const from = (ip: string, options = {}) =>
    call(url, 'GET', '/', { ...options, headers: { 'x-forwarded-for': ip } })

  const refused = await calls(5, () => from('203.0.113.1', { token: ended }))
  t.strictSame(refused.statuses, [401, 401, 401, 401, 401])
  t.strictSame(
    (await calls(5, () => from('203.0.113.1', { token: 'x' }))).statuses,
    [401, 401, 401, 401, 401],
  )
  t.strictSame((await calls(3, () => call(url, 'GET', '/scoped', { token }))).statuses, [403, 403, 403])
  t.strictSame((await calls(4, () => from('203.0.113.1', { token }))).statuses, [200, 200, 200, 429])

  t.strictSame((await calls(4, () => from('203.0.113.1'))).statuses, [200, 200, 200, 429], 'anonymous')
  t.strictSame((await calls(4, () => from('203.0.113.2'))).statuses, [200, 200, 200, 429], 'another address')
  for (const ip of ['2001:db8::1', '2001:db8::2', '2001:db8::3']) t.equal((await from(ip)).status, 200)
  t.equal((await from('2001:db8::4')).status, 429, 'an IPv6 one by its /64')
})

t.test('by address: counted before verification, so that guesses count', async (t) => {
  const upstream = await startUpstream(t)
  const { url } = await startGateway(t, {
    routes: [{ path: '/', upstream: upstream.url, rateLimit: { ...rateLimit, max: 5, by: 'address' } }],
  })
  const [ada, bob] = [(await logIn(url)).access_token, (await logIn(url, 'bob')).access_token]
  const statuses: number[] = []
  for (const token of ['guess', 'guess', undefined, ada, bob, ada, 'guess'])
    statuses.push((await call(url, 'GET', '/', { token })).status)
  t.strictSame(statuses, [401, 401, 401, 200, 200, 429, 429])
  t.equal(upstream.seen.length, 2)
})

t.test('two routes with one path count separately by method; auth: none counts by address', async (t) => {
  const upstream = await startUpstream(t)
  const { url } = await startGateway(t, {
    routes: [
      {
        path: '/',
        methods: ['GET'],
        upstream: upstream.url,
        auth: 'none',
        rateLimit: { ...rateLimit, max: 1 },
      },
      {
        path: '/',
        methods: ['POST', 'PUT'],
        upstream: upstream.url,
        auth: 'none',
        rateLimit: { ...rateLimit, max: 2 },
      },
    ],
  })
  const statuses: number[] = []
  for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'POST', 'GET'])
    statuses.push((await call(url, method, '/')).status)
  t.strictSame(statuses, [200, 429, 200, 200, 429, 429])
})

t.test('after the interval requests are admitted again', async (t) => {
  const upstream = await startUpstream(t)
  const { url } = await startGateway(t, {
    routes: [{ path: '/', upstream: upstream.url, auth: 'none', rateLimit: { max: 1, per: '3s' } }],
  })
  t.equal((await call(url, 'GET', '/')).status, 200)
  const begin = performance.now()
  let seen429 = false
  while ((await call(url, 'GET', '/')).status === 429 && performance.now() - begin < 10_000) {
    seen429 = true
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  t.ok(seen429)
  t.ok(performance.now() - begin < 10_000)
})

t.test('3,000 routes with a limit each start and count separately', async (t) => {
  const upstream = await startUpstream(t)
  const { url } = await startGateway(t, {
    routes: Array.from({ length: 3_000 }, (_, i) => ({
      path: `/${i}`,
      upstream: upstream.url,
      auth: 'none',
      rateLimit: { max: 1 + (i % 2), per: '10m' },
    })),
  })
  const statuses: number[] = []
  for (const path of ['/0', '/0', '/1', '/1', '/1', '/2998', '/2999', '/2999'])
    statuses.push((await call(url, 'GET', path)).status)
  t.strictSame(statuses, [200, 429, 200, 200, 429, 200, 200, 200])
})
