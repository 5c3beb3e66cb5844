import t from 'tap'
import { toSeconds } from '../../src/clock.js'
import { MemoryDenylist } from '../../src/revocation/memory-denylist.js'
import { MovableClock } from '../support/movable-clock.js'
import { denylistContract, minted, LIFE, SECOND } from './denylist.contract.js'
import { kindsContract } from './kinds.contract.js'

async function open(clock = new MovableClock()) {
  return {
    clock,
    denylist: new MemoryDenylist(clock, LIFE),
    beyond: LIFE.leeway + 3 * SECOND,
    rounding: 0,
    advance: async (milliseconds: number) => clock.advance(milliseconds),
    pass: (milliseconds: number) => clock.advance(milliseconds),
  }
}

denylistContract(t, () => open())
kindsContract(t, () => open())

t.test('tokens from before a restart of the process are refused for good', async (t) => {
  const clock = new MovableClock()
  const before = await open(clock)
  const revoked = await minted(before)
  const harmless = await minted(before)
  await before.denylist.revoke([{ kind: 'sid', id: revoked.sid }])
  clock.advance(3 * SECOND)
  const after = await open(clock)
  for (const token of [revoked, harmless]) {
    t.equal(await after.denylist.check(token), 'history')
    clock.advance(20 * LIFE.horizon)
    t.equal(await after.denylist.check(token), 'history')
  }
})

t.test('tokens from the second of the start are admitted only with the prefix of this process', async (t) => {
  const clock = new MovableClock(1_800_000_000_400)
  const before = await open(clock)
  const old = await minted(before)
  clock.advance(300)
  const after = await open(clock)
  const fresh = await minted(after)
  t.equal(old.iat, fresh.iat, 'both of one second')
  t.equal(await before.denylist.check(old), undefined)
  t.equal(await after.denylist.check(old), 'history')
  t.equal(await after.denylist.check(fresh), undefined)
})

t.test('one second after the start, tokens need no prefix', async (t) => {
  const clock = new MovableClock(1_800_000_000_999)
  const { denylist } = await open(clock)
  const since = toSeconds(clock.now())
  const token = { jti: 'of another process', sid: 's', sub: 'alice', kid: 'k' }
  for (const [iat, reason] of [
    [since - 1, 'history'],
    [since, 'history'],
    [since + 1, undefined],
  ] as const) {
    t.equal(await denylist.check({ ...token, iat }), reason, `iat ${iat - since} s after`)
  }
})

t.test('two processes have different prefixes', async (t) => {
  const epochPrefixes = await Promise.all(
    Array.from({ length: 20 }, async () => (await (await open()).denylist.stamp()).jtiPrefix),
  )
  t.equal(new Set(epochPrefixes).size, 20)
})

t.test('a check returns synchronously', async (t) => {
  const harness = await open()
  const token = await minted(harness)
  await harness.denylist.revoke([{ kind: 'sid', id: token.sid }])
  t.equal(harness.denylist.check(token), 'sid')
})

t.test('entries in force survive the removal of thousands of expired ones', async (t) => {
  const harness = await open()
  for (let i = 0; i < 3; i += 1) {
    await harness.advance(LIFE.horizon)
    const standing = await minted(harness)
    await harness.denylist.revoke([{ kind: 'sid', id: standing.sid }])
    await harness.advance(SECOND)
    const many = Array.from({ length: 2_500 }, (_, n) => ({ kind: 'sid', id: `${i} ${n}` }) as const)
    await harness.denylist.revoke(many)
    t.equal(await harness.denylist.check(standing), 'sid')
    t.equal(await harness.denylist.check({ ...standing, sid: `${i} 2499` }), 'sid')
  }
})

t.test('a wall clock that runs ahead for a moment removes no entry', async (t) => {
  const [clock, steady] = [new MovableClock(), new MovableClock()]
  const denylist = new MemoryDenylist(clock, LIFE, steady)
  const token = await minted({ denylist })
  await denylist.revoke([{ kind: 'sid', id: token.sid }])
  clock.advance(2 * LIFE.horizon)
  t.equal(await denylist.check(token), 'sid')
  const many = Array.from({ length: 2_500 }, (_, n) => ({ kind: 'sid', id: `other ${n}` }) as const)
  await denylist.revoke(many)
  clock.advance(-2 * LIFE.horizon)
  t.equal(await denylist.check(token), 'sid')
})

t.test('a wall clock that runs behind for a moment doesn’t shorten an entry', async (t) => {
  const [clock, steady] = [new MovableClock(), new MovableClock()]
  const denylist = new MemoryDenylist(clock, LIFE, steady)
  const token = await minted({ denylist })
  clock.advance(-2 * LIFE.horizon)
  await denylist.revoke([{ kind: 'sid', id: token.sid }])
  clock.advance(2 * LIFE.horizon)
  for (const each of [clock, steady]) each.advance(LIFE.horizon)
  t.equal(await denylist.check(token), 'sid')
})
