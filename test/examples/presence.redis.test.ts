import t from 'tap'
import { skipWithRedis, startMovedRedis } from '../support/moved-time.js'
import { home } from '../support/gateway-process.js'
import { connect, startRedis } from '../support/redis.js'
import { ENDED, presenceContract, startPresence } from './presence.contract.js'

t.setTimeout(120_000)

presenceContract(t, async () => (await startMovedRedis(t)).url, { skip: skipWithRedis })

t.test('a key that is deleted by hand is a logout at the next request, on every instance', async (t) => {
  const { url } = await startRedis(t)
  const server = connect(t, url)
  const directory = await home(t)
  const [first, second] = [await startPresence(t, url, directory), await startPresence(t, url, directory)]
  const ordersAtSecond = async ({ tokens }: typeof one) => {
    const headers = { authorization: `Bearer ${tokens.access_token}` }
    return (await fetch(`${second.url}/orders`, { headers })).status
  }
  const [one, other, bob] = [
    await first.logIn(),
    await first.logIn(),
    await first.logIn('bob', 'demo-bob-1066'),
  ]
  for (const shopper of [one, other, bob]) {
    t.equal((await shopper.orders()).status, 200)
    t.equal(await ordersAtSecond(shopper), 200)
  }

  t.equal(await server.del(`portcullis:session:${one.tokens.session_id}`), 1)
  t.equal(await ordersAtSecond(one), 401)
  t.match(await one.orders(), ENDED)
  t.match(await one.refresh(), ENDED)
  for (const shopper of [other, bob]) t.equal((await shopper.orders()).status, 200)
  t.equal((await one.login('ada', 'demo-ada-1843')).status, 200)
  t.equal((await one.orders()).status, 200)
})

t.test('the commands of the README show who is logged in, and log everybody out', async (t) => {
  const { url } = await startRedis(t)
  const server = connect(t, url)
  const { app, logIn } = await startPresence(t, url)
  const [one, other] = [await logIn(), await logIn()]
  const sids = [one, other].map(({ tokens }) => tokens.session_id).toSorted()
  const list = async () =>
    (await server.keys('portcullis:session:*')).map((key) => key.split(':')[2]).toSorted()
  t.strictSame(await list(), sids)
  t.strictSame((await server.zrange('portcullis:subject:ada', '0', '-1')).toSorted(), sids)
  const seconds = await server.ttl(`portcullis:session:${sids[0]}`)
  t.ok(seconds > 7 * 86_400 - 60 && seconds <= 7 * 86_400 + 3, `${seconds} s are left`)

  await one.logout()
  t.strictSame(await list(), sids, 'a logout leaves a tombstone under the same key')
  t.strictSame(
    (await app.portcullis.sessions.list('ada')).map(({ sid }) => sid),
    [other.tokens.session_id],
  )
  await server.del(await server.keys('portcullis:session:*'))
  t.match(await other.orders(), ENDED)
  t.match(await one.orders(), ENDED)
  const again = await logIn()
  t.equal((await again.orders()).status, 200)
  await server.flushdb()
  t.match(await again.orders(), ENDED, 'a Redis that lost everything has lost the sessions')
  t.equal((await again.login('ada', 'demo-ada-1843')).status, 200)
  t.equal((await again.orders()).status, 200)
})

t.test('while Redis is unreachable, a request is 503, and the tokens are good afterwards', async (t) => {
  const redis = await startRedis(t)
  const { logIn } = await startPresence(t, redis.url)
  const shopper = await logIn()
  await redis.freeze()
  t.match(await shopper.orders(), { status: 503, body: { code: 'store_unavailable' } })
  await redis.thaw()
  let answer = await shopper.orders()
  for (let i = 0; i < 100 && answer.status === 503; i += 1) {
    await new Promise((resolve) => setTimeout(resolve, 50))
    answer = await shopper.orders()
  }
  t.equal(answer.status, 200)
})
