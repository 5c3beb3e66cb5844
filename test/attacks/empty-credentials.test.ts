/** Directories such as LDAP treat a bind with an empty password as anonymous, and answer that it succeeded. */
import fastify from 'fastify'
import t from 'tap'
import portcullis from '../../src/index.js'
import { home, sharedSettings } from '../support/gateway-process.js'

t.test('empty credentials are wrong, reach no login function and aren’t counted', async (t) => {
  const tried: string[] = []
  const lines: string[] = []
  const app = fastify({ logger: { stream: { write: (line: string) => void lines.push(line) } } })
  t.teardown(() => app.close())
  await app.register(portcullis, {
    ...sharedSettings(await home(t)),
    store: 'memory',
    rateLimit: { login: { perAccount: { failures: 2 }, perAddress: { failures: 2 } } },
    login: ({ username, password }) => {
      tried.push(`${username}:${password}`)
      return { sub: 'whoever' }
    },
  })
  const logIn = (payload: object) => app.inject({ method: 'POST', url: '/auth/login', payload })
  for (const empty of [
    { username: 'ada', password: '' },
    { username: '', password: 'x' },
    { username: '', password: '' },
    { username: 'ada', password: '' },
  ]) {
    const response = await logIn(empty)
    t.equal(response.statusCode, 401)
    t.equal(response.json().code, 'invalid_credentials')
  }
  const form = await app.inject({
    method: 'POST',
    url: '/auth/login',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    payload: 'username=ada&password=',
  })
  t.equal(form.json().code, 'invalid_credentials')
  t.strictSame(tried, [])
  t.notOk(lines.some((line) => line.includes('"login_failed"')))
  for (const missing of [{ username: 'ada' }, { password: 'x' }, {}]) {
    const response = await logIn(missing)
    t.equal(response.statusCode, 400)
    t.equal(response.json().code, 'invalid_request')
  }
  t.equal((await logIn({ username: 'ada', password: 'right' })).statusCode, 200)
  t.strictSame(tried, ['ada:right'])
})

t.test('the legacy API of login.http isn’t called either', async (t) => {
  let calls = 0
  const api = fastify()
  api.post('/login', async () => {
    calls += 1
    return { id: 'whoever' }
  })
  t.teardown(() => api.close())
  const base = await api.listen({ port: 0, host: '127.0.0.1' })
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(portcullis, {
    ...sharedSettings(await home(t)),
    store: 'memory',
    login: { http: { url: `${base}/login`, subject: '/id' } },
  })
  const payload = { username: 'ada', password: '' }
  const response = await app.inject({ method: 'POST', url: '/auth/login', payload })
  t.equal(response.json().code, 'invalid_credentials')
  t.equal(calls, 0)
})
