import t from 'tap'
import type { Test } from 'tap'
import { RedisDenylist } from '../../src/revocation/redis.js'
import { redisKeys } from '../../src/store/keys.js'
import { MovableClock } from '../clock.js'
import { cleanUp, connect, startCluster, startRedis, uniquePrefix } from '../redis.js'
import { dump, fastForward, keysOf, monitored, openConnection } from '../store/redis-harness.js'
import { denylistContract, minted, BEYOND, LIFE, MINUTE, SECOND } from './denylist.contract.js'

async function open(t: Test) {
  const prefix = uniquePrefix()
  cleanUp(t, prefix)
  const server = connect(t)
  const clock = new MovableClock()
  const client = await openConnection(t)
  const keys = redisKeys(prefix)
  return {
    prefix,
    server,
    clock,
    keys,
    denylist: new RedisDenylist(client, keys, clock, LIFE),
    /** Another process on the same Redis. */
    another: async (t: Test, life = LIFE) => new RedisDenylist(await openConnection(t), keys, clock, life),
    async advance(milliseconds: number) {
      clock.advance(milliseconds)
      await fastForward([server], prefix, milliseconds)
    },
  }
}

denylistContract(t, open)

t.test('on a Redis Cluster', async (t) => {
  const cluster = await startCluster(t)
  const client = await openConnection(t, cluster.url)
  const servers = cluster.urls.map((url) => connect(t, url))
  denylistContract(t, async () => {
    const prefix = uniquePrefix()
    const clock = new MovableClock()
    return {
      clock,
      denylist: new RedisDenylist(client, redisKeys(prefix), clock, LIFE),
      async advance(milliseconds) {
        clock.advance(milliseconds)
        await fastForward(servers, prefix, milliseconds)
      },
    }
  })
})

t.test('a denial holds on every instance once revoke has returned', async (t) => {
  const harness = await open(t)
  const other = await harness.another(t)
  for (let round = 0; round < 20; round += 1) {
    const token = minted(harness)
    t.equal(await other.check(token), undefined)
    await harness.denylist.revoke([{ kind: 'sid', id: token.sid }])
    t.equal(await other.check(token), 'sid')
  }
})

t.test('each key has the TTL of its rule', async (t) => {
  const harness = await open(t)
  const { server, keys, clock } = harness
  await harness.denylist.revoke([
    { kind: 'jti', id: 'j', until: clock.now() + MINUTE },
    { kind: 'jti', id: 'far', until: clock.now() + 1000 * MINUTE },
    { kind: 'jti', id: 'past', until: clock.now() - MINUTE },
    { kind: 'sid', id: 's' },
  ])
  t.equal((await keysOf(server, harness.prefix)).length, 4)
  for (const [key, life] of [
    [keys.deny('jti', 'j'), MINUTE + BEYOND],
    [keys.deny('jti', 'far'), LIFE.horizon + BEYOND],
    [keys.deny('jti', 'past'), BEYOND],
    [keys.deny('sid', 's'), LIFE.horizon + BEYOND],
  ] as const) {
    const left = await server.pttl(key)
    t.ok(
      left <= life && left > life - 2 * SECOND,
      `${key.replace(harness.prefix, '')}: ${left} of ${life} ms`,
    )
  }
})

t.test('an instance with a shorter horizon doesn’t shorten what another has denied', async (t) => {
  const harness = await open(t)
  const other = await harness.another(t, { horizon: MINUTE, leeway: 0 })
  const token = minted(harness)
  await harness.denylist.revoke([{ kind: 'sid', id: token.sid, reason: 'first' }])
  await other.revoke([{ kind: 'sid', id: token.sid, reason: 'second' }])
  const left = await harness.server.pttl(harness.keys.deny('sid', token.sid))
  t.ok(left > LIFE.horizon, `${left} ms`)
  await harness.advance(LIFE.horizon)
  t.equal(await other.check(token), 'sid')
})

t.test('values say until when and why, and nothing of tokens', async (t) => {
  const harness = await open(t)
  const { clock, keys } = harness
  await harness.denylist.revoke([
    { kind: 'sid', id: 's', reason: 'logout' },
    { kind: 'jti', id: 'j', until: clock.now() + MINUTE },
  ])
  t.strictSame(await dump(harness.server, harness.prefix), {
    [keys.deny('sid', 's')]: [`0 ${clock.now() + LIFE.horizon + BEYOND} logout`],
    [keys.deny('jti', 'j')]: [`0 ${clock.now() + MINUTE + BEYOND} `],
  })
})

t.test('a denial is written with its TTL in one command, and all of a call in one transaction', async (t) => {
  const own = await startRedis(t)
  const prefix = uniquePrefix()
  const clock = new MovableClock()
  const denylist = new RedisDenylist(await openConnection(t, own.url), redisKeys(prefix), clock, LIFE)
  const run = await monitored(t, own.url, prefix, async () => {
    await denylist.revoke([
      { kind: 'sid', id: 's' },
      { kind: 'jti', id: 'j', until: clock.now() + MINUTE },
    ])
  })
  const writes = run.filter(([name = '']) => name === 'SET')
  t.match(writes, [
    ['SET', `{${prefix}}:deny:sid:s`, String, 'PX', String(LIFE.horizon + BEYOND)],
    ['SET', `{${prefix}}:deny:jti:j`, String, 'PX', String(MINUTE + BEYOND)],
  ])
  t.equal(writes.length, 2)
  t.notOk(
    run.some(([name = '']) => name.includes('EXPIRE')),
    'no EXPIRE of any kind',
  )
  const asked = await monitored(t, own.url, prefix, async () => {
    await denylist.check({ jti: 'j', sid: 's', iat: 0 })
  })
  t.strictSame(asked, [['MGET', `{${prefix}}:deny:sid:s`, `{${prefix}}:deny:jti:j`]], 'a check is one MGET')
})
