/** One client's logins, with right or wrong passwords, that are to keep the logins of others out. */
import { createServer } from 'node:http'
import t from 'tap'
import { listen, until } from '../support/forwarding.js'
import { USERS, call, isRefused, logIn, startGateway } from '../support/gateway-process.js'

t.test('150 good logins of one user at once keep nobody else out', async (t) => {
  const held: (() => void)[] = []
  let isHolding = true
  const api = createServer((request, response) => {
    const respond = () => void response.setHeader('content-type', 'application/json').end('{"id":"somebody"}')
    request.resume().once('end', () => (isHolding ? held.push(respond) : respond()))
  })
  const login = { http: { url: `http://127.0.0.1:${await listen(t, api)}/login`, subject: '/id' } }
  const { url } = await startGateway(t, { login })
  const tryLogin = (username: string) =>
    call(url, 'POST', '/auth/login', { json: { username, password: 'right' } }).then(({ status }) => status)
  let refused = 0
  const flood = Array.from({ length: 150 }, async () => {
    const status = await tryLogin('mallory')
    if (status === 503) refused += 1
    return status
  })
  await until('the slots and the queue are full', () => held.length === 32 && refused === 18)
  const others = Array.from({ length: 15 }, (_, n) => tryLogin(`user${n}`))
  await until('others have displaced as many', () => refused === 33)
  isHolding = false
  for (const respond of held) respond()
  t.strictSame(
    await Promise.all(others),
    others.map(() => 200),
  )
  t.equal((await Promise.all(flood)).filter((status) => status === 200).length, 150 - 33)
})

t.test('a guesser doesn’t lock out those who have logged in from the same address before', async (t) => {
  const { url } = await startGateway(t, {
    rateLimit: { login: { perAccount: { failures: 3 }, perAddress: { failures: 4 } } },
  })
  await logIn(url, 'ada')
  const guess = (username: string) =>
    call(url, 'POST', '/auth/login', { json: { username, password: 'guess' } })
  for (const name of ['carol', 'dave', 'erin', 'frank']) t.equal((await guess(name)).status, 401)
  isRefused(t, await guess('grace'), 429, 'rate_limited', 'the address is locked out')
  t.ok(await logIn(url, 'ada'))
  const json = { username: 'bob', password: USERS.bob }
  isRefused(t, await call(url, 'POST', '/auth/login', { json }), 429, 'rate_limited', 'never seen here')

  for (let n = 0; n < 3; n += 1) t.equal((await guess('ada')).status, 401)
  isRefused(t, await guess('ada'), 429, 'rate_limited', 'the limit of an account holds for everybody')
})
