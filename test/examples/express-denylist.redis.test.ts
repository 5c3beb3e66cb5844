import t from 'tap'
import { home } from '../support/gateway-process.js'
import { skipWithRedis, startMovedRedis } from '../support/moved-time.js'
import { connect, startRedis } from '../support/redis.js'
import type { Scope } from '../support/redis.js'
import { expressDenylistContract, start } from './express-denylist.contract.js'

t.setTimeout(120_000)

// The time of this process stays where a test has moved it, so each Redis needs a clock that moves, too.
const startStore = async (t: Scope) => (await (skipWithRedis ? startRedis(t) : startMovedRedis(t))).url

expressDenylistContract(t, { startStore, skip: skipWithRedis })

t.test('a logout on one server ends the tokens on the other, and Redis has no token', async (t) => {
  const url = await startStore(t)
  const directory = await home(t)
  const [one, other] = [await start(t, url, directory), await start(t, url, directory)]
  const { token, refreshToken } = await one.signIn('ada', 'gate-keeper-1843')
  const headers = { 'x-access-token': token }
  t.equal((await other.send('GET', '/post/all', { headers })).status, 200)
  t.equal((await one.send('GET', '/user/logout', { headers })).status, 200)
  t.match(await other.send('GET', '/post/all', { headers }), { status: 401, data: { code: 'session_ended' } })
  t.equal((await other.send('POST', '/user/refresh', { data: { refreshToken } })).status, 401)
  const redis = connect(t, url)
  const keys = await redis.keys('*')
  const values = await Promise.all(keys.map((key) => redis.dump(key)))
  t.notMatch(keys.join(), token)
  t.notMatch(values.join(), new RegExp(`${token}|${refreshToken}`))
})
