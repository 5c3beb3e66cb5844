import t from 'tap'
import { USERS, call, isRefused, logIn, startGateway } from '../support/gateway-process.js'

const wrong = (base: string, username: string) =>
  call(base, 'POST', '/auth/login', { json: { username, password: 'wrong' } })

t.test('by default ten failed logins per account; then 429, for the right password, too', async (t) => {
  const { url } = await startGateway(t)
  for (let i = 0; i < 10; i++) t.equal((await wrong(url, 'ada')).status, 401)
  const limited = await wrong(url, 'ada')
  isRefused(t, limited, 429, 'rate_limited')
  const seconds = Number(limited.headers['retry-after'])
  t.ok(seconds > 800 && seconds <= 900, 'until the quarter of an hour is over')
  const json = { username: 'ada', password: USERS.ada }
  isRefused(t, await call(url, 'POST', '/auth/login', { json }), 429, 'rate_limited')
  t.ok(await logIn(url, 'bob'), 'another account from the same address')
})

t.test('spellings of a name count together', async (t) => {
  const { url } = await startGateway(t, { rateLimit: { login: { perAccount: { failures: 4 } } } })
  for (const name of ['ada', 'ADA', ' ada\t', 'ａｄａ']) t.equal((await wrong(url, name)).status, 401, name)
  for (const name of ['ada', 'Ada', 'ａＤａ', 'àdâ', 'ad\u200ba'])
    isRefused(t, await wrong(url, name), 429, 'rate_limited', name)
  t.equal((await wrong(url, 'adam')).status, 401)
})

t.test('successful logins don’t count and don’t reset the failures', async (t) => {
  const { url } = await startGateway(t, {
    rateLimit: { login: { perAccount: { failures: 2 }, perAddress: { failures: 3 } } },
  })
  for (let i = 0; i < 6; i++) await logIn(url)
  await wrong(url, 'ada')
  await logIn(url)
  await wrong(url, 'ada')
  isRefused(t, await wrong(url, 'ada'), 429, 'rate_limited')
})

t.test('successful logins of an account have a limit of their own', async (t) => {
  const { url } = await startGateway(t, { rateLimit: { login: { perAccount: { successes: 3 } } } })
  for (let i = 0; i < 3; i++) await logIn(url)
  const limited = await call(url, 'POST', '/auth/login', { json: { username: 'ADA', password: USERS.ada } })
  isRefused(t, limited, 429, 'rate_limited')
  t.ok(await logIn(url, 'bob'))
})

t.test('failures of an address count together over all names, also unknown ones', async (t) => {
  const { url } = await startGateway(t, { rateLimit: { login: { perAddress: { failures: 3 } } } })
  for (const name of ['ada', 'bob', 'nobody']) t.equal((await wrong(url, name)).status, 401)
  isRefused(t, await wrong(url, 'somebody'), 429, 'rate_limited')
})

t.test('the address is the socket’s peer, unless a listed proxy names another one', async (t) => {
  const limit = { rateLimit: { login: { perAddress: { failures: 2 } } } }
  const { url } = await startGateway(t, limit)
  const from = (base: string, ip: string) =>
    call(base, 'POST', '/auth/login', {
      json: { username: `user of ${ip}`, password: 'wrong' },
      headers: { 'x-forwarded-for': ip, forwarded: `for=${ip}`, 'x-real-ip': ip },
    })
  const statuses = [
    await from(url, '203.0.113.1'),
    await from(url, '203.0.113.2'),
    await from(url, '203.0.113.3'),
  ]
  t.strictSame(
    statuses.map(({ status }) => status),
    [401, 401, 429],
  )

  const listen = { host: '127.0.0.1', port: 0, trustProxy: ['127.0.0.0/8'] }
  const behind = await startGateway(t, { ...limit, listen })
  for (const ip of ['203.0.113.1', '203.0.113.1', '203.0.113.2'])
    t.equal((await from(behind.url, ip)).status, 401)
  t.equal((await from(behind.url, '203.0.113.1')).status, 429)
  for (const ip of ['2001:db8::1', '2001:db8::2']) t.equal((await from(behind.url, ip)).status, 401)
  t.equal((await from(behind.url, '2001:db8::3')).status, 429, 'of one /64')
})

t.test('parallel guesses exceed the limit by no more than the hashing slots', async (t) => {
  const { url } = await startGateway(t, { rateLimit: { login: { perAccount: { failures: 3 } } } })
  const answers = await Promise.all(Array.from({ length: 40 }, () => wrong(url, 'ada')))
  const { availableParallelism } = await import('node:os')
  const slots = Math.max(1, availableParallelism() - 1)
  const guesses = answers.filter(({ status }) => status === 401).length
  t.ok(guesses >= 3 && guesses <= 3 + slots, `${guesses} guesses of 3 allowed, ${slots} slots`)
  t.equal(answers.filter(({ status }) => status === 429).length, 40 - guesses)
})

t.test('refreshes are limited by address, and the limit stops no logout by refresh token', async (t) => {
  const { url } = await startGateway(t, { rateLimit: { refresh: { perAddress: { max: 3 } } } })
  const { access_token: token, refresh_token } = await logIn(url)
  const json = { refresh_token }
  for (let i = 0; i < 3; i++) t.equal((await call(url, 'POST', '/auth/refresh', { json })).status, 200)
  const limited = await call(url, 'POST', '/auth/refresh', { json })
  isRefused(t, limited, 429, 'rate_limited')
  t.match(limited.headers['retry-after'], /^[1-9]\d*$/)
  t.equal((await call(url, 'POST', '/auth/logout', { json })).status, 204)
  isRefused(t, await call(url, 'GET', '/auth/me', { token }), 401, 'session_ended')
})
