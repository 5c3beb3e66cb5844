/** `revocation.check: presence`: besides the denylist, each request asks for the record of its session. */
import t from 'tap'
import type { Test } from 'tap'
import { redisKeys } from '../../src/redis/keys.js'
import { EVICTED } from '../../src/revocation/entry.js'
import { cleanUp, connect, startRedis, uniquePrefix } from '../support/redis.js'
import { monitored, openConnection } from '../support/redis-session-store.js'
import { openInstance, settle } from '../support/open-denylist.js'

const TOKEN = { jti: 'j', sid: 's', sub: 'u', kid: 'k', iat: 0 }

async function open(t: Test) {
  const prefix = uniquePrefix()
  cleanUp(t, prefix)
  const server = connect(t)
  await settle(await openConnection(t), prefix)
  const { denylist } = await openInstance(t, { prefix, check: 'presence' })
  const record = redisKeys(prefix).session('s')
  return { denylist, server, record, store: () => server.hset(record, 'sub', 'u', 'current', 'hash') }
}

t.test('a token is admitted only while the record of its session is there and alive', async (t) => {
  const { denylist, server, record, store } = await open(t)
  t.equal(await denylist.check(TOKEN), 'absent')
  await store()
  t.equal(await denylist.check(TOKEN), undefined)
  t.equal(await denylist.check({ ...TOKEN, sid: 'another' }), 'absent')
  await server.hdel(record, 'current')
  t.equal(await denylist.check(TOKEN), 'absent')
  for (const [ended, reason] of [
    ['logout', 'absent'],
    ['evicted', 'evicted'],
  ] as const) {
    await server.hset(record, 'ended', ended)
    t.equal(await denylist.check(TOKEN), reason, `a tombstone: ${ended}`)
    t.equal(await denylist.peek(TOKEN), reason, 'long-lived connections, too')
  }
})

t.test('an entry of the denylist is the reason, whatever record there is', async (t) => {
  const { denylist, store } = await open(t)
  await denylist.revoke([{ kind: 'jti', id: 'j', until: Date.now() + 60_000 }])
  t.equal(await denylist.check(TOKEN), 'jti')
  await store()
  t.equal(await denylist.check(TOKEN), 'jti')
  await denylist.revoke([{ kind: 'sid', id: 's', before: EVICTED }])
  t.equal(await denylist.check(TOKEN), 'evicted')
})

t.test('a stamp needs no session', async (t) => {
  const { denylist } = await open(t)
  t.match(await denylist.stamp('u'), { issuedAt: Number, jtiPrefix: String })
})

t.test('a check is one MGET and one HMGET', async (t) => {
  const own = await startRedis(t)
  const prefix = uniquePrefix()
  await settle(await openConnection(t, own.url), prefix)
  const { denylist } = await openInstance(t, { prefix, check: 'presence', url: own.url })
  const run = await monitored(t, own.url, prefix, async () => denylist.check(TOKEN))
  t.match(run, [['MGET'], ['HMGET', `${prefix}:session:s`, 'current', 'ended']])
  t.equal(run.length, 2)
})

t.test('a Redis that may evict, or that isn’t there, decides nothing', async (t) => {
  const own = await startRedis(t)
  const prefix = uniquePrefix()
  let evicts = true
  const options = { prefix, check: 'presence', url: own.url, mayEvict: () => evicts } as const
  await t.rejects(openInstance(t, options), { message: /with presence, Redis must not evict/ })
  evicts = false
  const { denylist } = await openInstance(t, options)
  t.equal(await denylist.check(TOKEN), 'absent')
  evicts = true
  await t.rejects(Promise.resolve(denylist.check(TOKEN)), { code: 'store_unavailable' })
  evicts = false
  await own.kill()
  await t.rejects(Promise.resolve(denylist.check(TOKEN)), { code: 'store_unavailable' })
  t.equal(await denylist.peek(TOKEN), 'unknown')
})
