/** A user with a script logs in again and again, with the right password. Each login costs memory in the store. */
import t from 'tap'
import { USERS, call, isRefused, startGateway } from '../support/gateway-process.js'

const logIn = (url: string, username: keyof typeof USERS = 'ada', from = '192.0.2.1') =>
  call(url, 'POST', '/auth/login', {
    json: { username, password: USERS[username] },
    headers: { 'x-forwarded-for': from },
  })

const listen = { host: '127.0.0.1', port: 0, trustProxy: ['127.0.0.1'] }

t.test(
  'an account has a limit of its own, from whatever addresses, also for logins at the same time',
  async (t) => {
    const { url } = await startGateway(t, {
      listen,
      rateLimit: { login: { perAccount: { successes: 3 } } },
    })
    const answers = await Promise.all(Array.from({ length: 12 }, (_, i) => logIn(url, 'ada', `192.0.2.${i}`)))
    t.equal(answers.filter(({ status }) => status === 200).length, 3)
    isRefused(
      t,
      answers.find(({ status }) => status !== 200)!,
      429,
      'rate_limited',
    )
    const limited = await logIn(url)
    isRefused(t, limited, 429, 'rate_limited')
    t.ok(Number(limited.headers['retry-after']) > 800)
    t.equal((await logIn(url, 'bob')).status, 200, 'nobody else is locked out')
  },
)

t.test('an address has a limit, for all accounts together', async (t) => {
  const { url } = await startGateway(t, {
    listen,
    rateLimit: { login: { perAddress: { successes: 2 } } },
  })
  t.equal((await logIn(url, 'ada')).status, 200)
  t.equal((await logIn(url, 'bob')).status, 200)
  isRefused(t, await logIn(url, 'bob'), 429, 'rate_limited')
  t.equal((await logIn(url, 'bob', '192.0.2.2')).status, 200)
})

t.test('successes don’t use up the limit on guesses, nor guesses that on successes', async (t) => {
  const { url } = await startGateway(t, {
    rateLimit: { login: { perAccount: { failures: 3, successes: 3 } } },
  })
  const guess = () => call(url, 'POST', '/auth/login', { json: { username: 'ada', password: 'wrong' } })
  for (let i = 0; i < 2; i += 1) {
    t.equal((await logIn(url)).status, 200)
    isRefused(t, await guess(), 401, 'invalid_credentials')
  }
  t.equal((await logIn(url)).status, 200)
  isRefused(t, await guess(), 429, 'rate_limited')
})

t.test('without any setting, a user with a script keeps 100 sessions at most', async (t) => {
  const { url } = await startGateway(t)
  let last
  for (let i = 0; i < 105; i += 1) last = await logIn(url)
  const token = last!.body.access_token as string
  const { body } = await call(url, 'GET', '/auth/sessions?limit=500', { token })
  t.equal(body.sessions.length, 100)
})
