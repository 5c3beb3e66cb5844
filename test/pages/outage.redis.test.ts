/** The pages while Redis is unavailable: they say so, keep the cookies, and never show an empty list. */
import t from 'tap'
import { USERS, call, logIn, logInByCookies, soon, startGateway } from '../support/gateway-process.js'
import { startRedis, uniquePrefix } from '../support/redis.js'

t.test('each page says that nothing is known, within 2 s', async (t) => {
  const redis = await startRedis(t)
  const { url } = await startGateway(t, { pages: {}, store: redis.url, keyPrefix: uniquePrefix() })
  const cookies = await logInByCookies(url)
  const other = await logIn(url)
  await redis.freeze()
  const headers = { origin: url }
  const list = await call(url, 'GET', '/account', { cookies })
  t.equal(list.status, 503)
  t.match(list.text, 'Sessions can’t be shown at the moment.')
  t.match(list.text, /Reference [\da-f]{8}-\w+/)
  t.notMatch(list.text, 'You are not logged in anywhere else.')
  const form = { username: 'ada', password: USERS.ada, next: '/a' }
  const login = await call(url, 'POST', '/login', { form, headers })
  t.equal(login.status, 503)
  t.match(login.text, 'Login is unavailable at the moment.')
  t.match(login.text, 'value="/a"', 'the way back is kept')
  const logout = await call(url, 'POST', '/account/logout', { cookies, headers })
  t.equal(logout.status, 503, 'a logout that isn’t confirmed is no logout')
  for (const answer of [list, login, logout]) {
    t.match(answer.headers, { 'retry-after': /^\d+$/, 'content-type': /^text\/html/ })
    t.same(answer.setCookie, [])
  }
  for (const answer of [list, login]) t.ok(answer.milliseconds < 2000, `${answer.milliseconds} ms`)
  await redis.thaw()
  const end = () => call(url, 'POST', '/account/end', { cookies, headers, form: { sid: other.session_id } })
  const ended = await soon('a session can be ended again', async () => {
    const response = await end()
    return response.status === 303 ? response : undefined
  })
  t.equal(ended.headers['location'], '/account')
})
