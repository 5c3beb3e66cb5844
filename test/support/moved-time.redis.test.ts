import t from 'tap'
import { movedTimeContract } from './moved-time.contract.js'
import { DAY, moveTime, skipWithRedis, startMovedRedis } from './moved-time.js'
import { connect } from './redis.js'

t.setTimeout(120_000)

movedTimeContract(t, async () => (await startMovedRedis(t)).url, { skip: skipWithRedis })

t.test('keys of Redis expire by the moved time', { skip: skipWithRedis }, async (t) => {
  const redis = connect(t, (await startMovedRedis(t)).url)
  await redis.set('key', 'value', 'PX', 2 * DAY)
  await moveTime(t, 1 * DAY)
  t.ok((await redis.pttl('key')) <= 1 * DAY)
  t.equal(await redis.get('key'), 'value')
  await moveTime(t, 1 * DAY)
  t.equal(await redis.get('key'), null)
  const [seconds] = await redis.time()
  t.ok(Math.abs(Number(seconds) * 1_000 - Date.now()) < 2_000)
})
