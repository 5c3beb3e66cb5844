import { Cluster } from 'ioredis'
import t from 'tap'
import { endLivingSessions } from '../../src/revocation/replica/end-lost-sessions.js'
import { redisKeys } from '../../src/redis/keys.js'
import { cleanUp, connect, uniquePrefix } from '../support/redis.js'
import { openConnection } from '../support/redis-session-store.js'

const SIDS = Array.from({ length: 250 }, (_, i) => `s${i}`)

t.test('only groups that contain a living record are ended', async (t) => {
  const prefix = uniquePrefix()
  cleanUp(t, prefix)
  const keys = redisKeys(prefix)
  await connect(t).hset(keys.session('s120'), 'sub', 'anna')
  const ended: string[] = []
  await endLivingSessions(await openConnection(t), keys, SIDS, async (sid) => void ended.push(sid))
  t.ok(ended.includes('s120'))
  t.strictSame(ended, SIDS.slice(100, 200), 'the group of the one record')
})

t.test('without a record, nothing is ended', async (t) => {
  const keys = redisKeys(uniquePrefix())
  await endLivingSessions(await openConnection(t), keys, SIDS, () => Promise.reject(new Error('called')))
})

t.test(
  'if one session can’t be ended, the whole call fails, so that its page is published later',
  async (t) => {
    const prefix = uniquePrefix()
    cleanUp(t, prefix)
    const keys = redisKeys(prefix)
    await connect(t).hset(keys.session('s1'), 'sub', 'anna')
    const client = await openConnection(t)
    const failing = endLivingSessions(client, keys, SIDS, () => Promise.reject(new Error('no reply')))
    await t.rejects(failing, { message: 'no reply' })
  },
)

t.test('in a Cluster, sessions in different slots are ended one by one', async (t) => {
  const cluster = new Cluster([{ host: '127.0.0.1', port: 1 }], { lazyConnect: true })
  t.teardown(() => cluster.disconnect())
  const ended: string[] = []
  await endLivingSessions(cluster, redisKeys('p'), SIDS, async (sid) => void ended.push(sid))
  t.strictSame(ended, SIDS)
})
