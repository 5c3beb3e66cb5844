import t from 'tap'
import { redisKeys } from '../../src/redis/keys.js'
import { MemoryDenylist } from '../../src/revocation/memory-denylist.js'
import { revoke } from '../../src/session/revoke.js'
import { openOnRedis } from '../support/redis-session-store.js'
import { issue, instance, judged, LIFE, refreshed, told, twoInstances } from '../support/sessions.js'
import { monitored } from '../support/redis-session-store.js'
import { redisUrl } from '../support/redis.js'
import { revokeAllContract } from './revoke-all.contract.js'

revokeAllContract(t, async (t) => {
  const { store, clock, advance } = await openOnRedis(t)
  // In memory, because its clock moves with that of the store.
  const denylist = new MemoryDenylist(clock, LIFE)
  return { ...instance({ store, denylist }, clock), advance }
})

t.test('the cutoff has a TTL that never becomes shorter, and never moves back', async (t) => {
  const { store, prefix, servers, clock } = await openOnRedis(t)
  const key = redisKeys(prefix).cutoff
  const read = async () => [Number(await servers[0]!.get(key)), await servers[0]!.pttl(key)] as const
  const now = clock.now()
  await store.setCutoff({ before: 5_000, now, ttl: 100_000 })
  await store.setCutoff({ before: 4_000, now, ttl: 50_000 })
  const [value, life] = await read()
  t.equal(value, 5_000)
  t.ok(life > 90_000 && life <= 100_000, `${life} ms`)
  const begunAt = Date.now()
  await store.setCutoff({ before: undefined, now, ttl: 200_000 })
  const [later, longer] = await read()
  t.ok(later >= begunAt + 1_990 && later <= Date.now() + 2_010, 'the time of Redis, and the tolerance')
  t.ok(longer > 190_000)
  await servers[0]!.set(key, 'something else')
  await store.setCutoff({ before: 6_000, now, ttl: 100_000 })
  t.equal((await read())[0], 6_000)
})

t.test('a refresh sends the GET of the cutoff together with its script', async (t) => {
  const harness = await openOnRedis(t)
  const rig = instance(
    { store: harness.store, denylist: new MemoryDenylist(harness.clock, LIFE) },
    harness.clock,
  )
  const login = await issue(rig.ports, { sub: 'alice' })
  const commands = await monitored(t, redisUrl(), harness.prefix, async () => {
    t.equal(await refreshed(rig, login.refreshToken), 'good')
  })
  // The commands of the script come between the script and the GET that was sent with it.
  const sent = commands.map(([name]) => name).filter((name) => /^(EVAL|EVALSHA|GET)$/.test(name!))
  t.strictSame(sent.slice(-1), ['GET'])
})

for (const check of ['replica', 'redis'] as const) {
  t.test(`${check}: no session from before refreshes, and a login afterwards does`, async (t) => {
    const [one, two] = await twoInstances(t, check)
    const old = await issue(one.ports, { sub: 'alice' })
    await revoke(two.ports, { all: true })
    const fresh = await issue(one.ports, { sub: 'alice' })
    // An instance whose denylist has forgotten everything.
    const later = instance(
      { store: one.ports.store, denylist: new MemoryDenylist(one.ports.clock, LIFE) },
      one.ports.clock,
    )
    t.equal(await refreshed(later, old.refreshToken), 'session_ended')
    t.equal(await judged(one, old.accessToken), 'token_revoked')
    t.equal(await refreshed(later, fresh.refreshToken), 'good')
    t.equal(told(later, 'session_ended').length, 1)
  })
}
