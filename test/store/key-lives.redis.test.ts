/** How long the session store's keys live. Nothing lives for ever. */
import t from 'tap'
import type { Test } from 'tap'
import { begin, end, rotated, sidsOf, someone, use, living } from '../support/session-store.js'
import { ABSOLUTE, HOUR, IDLE, MINUTE, SECOND, TOMBSTONE } from '../support/session-store.js'
import { keysOf, openOnRedis } from '../support/redis-session-store.js'
import type { RedisHarness } from '../support/redis-session-store.js'

/** By how much a life may be short of what was set, for the time that the test itself takes. */
const TEST_TIME = 5 * SECOND
const SLACK = 3 * SECOND
/** How long an id, and with it its index, stays after the session's end. */
const INDEX_SLACK = 65 * SECOND

function lifeOf({ servers }: RedisHarness, key: string): Promise<number> {
  return servers[0]!.pttl(key)
}

function isAbout(t: Test, life: number, expected: number, what: string): void {
  t.ok(life <= expected && life > expected - TEST_TIME, `${what}: ${life} ms of ${expected}`)
}

t.test('every key has a TTL, whatever happened to its session', async (t) => {
  const harness = await openOnRedis(t)
  const sub = someone()
  for (const [about, rules] of [
    [{}, {}],
    [{ absolute: 0 }, {}],
    [{ idle: 0 }, { idle: 0 }],
  ] as const) {
    const untouched = await begin(harness, { sub, ...about })
    const ended = await begin(harness, { sub, ...about })
    const stolen = await begin(harness, { sub, ...about })
    await rotated(t, harness, (await begin(harness, { sub, ...about })).token, rules)
    await end(harness, ended.session.sid)
    await rotated(t, harness, await rotated(t, harness, stolen.token, rules), rules)
    t.equal((await use(harness, stolen.token)).outcome.kind, 'reused')
    t.equal((await use(harness, { ...untouched.token, family: 'x' })).outcome.kind, 'forged')
  }
  await living(harness.store, sub, harness.clock.now())
  const keys = await keysOf(harness.servers[0]!, harness.prefix)
  t.equal(keys.length, 13)
  for (const key of keys) t.ok((await lifeOf(harness, key)) > 0, key.replace(harness.prefix, ''))
})

t.test('nothing is left after the last TTL', async (t) => {
  const harness = await openOnRedis(t)
  const sub = someone()
  await begin(harness, { sub })
  await end(harness, (await begin(harness, { sub })).session.sid)
  await rotated(t, harness, (await begin(harness, { sub, absolute: 0 })).token)
  await harness.advance(ABSOLUTE + INDEX_SLACK)
  t.same(await keysOf(harness.servers[0]!, harness.prefix), [])
})

t.test('a session’s key lives as long as the session, and is extended with it', async (t) => {
  const harness = await openOnRedis(t)
  const { session, token } = await begin(harness, { absolute: 90 * MINUTE })
  const key = harness.keys.session(session.sid)
  isAbout(t, await lifeOf(harness, key), IDLE + SLACK, 'after the login')
  await harness.advance(20 * MINUTE)
  isAbout(t, await lifeOf(harness, key), 40 * MINUTE + SLACK, '20 minutes later')
  const next = await rotated(t, harness, token)
  isAbout(t, await lifeOf(harness, key), IDLE + SLACK, 'after a refresh')
  await harness.advance(40 * MINUTE)
  await rotated(t, harness, next)
  isAbout(t, await lifeOf(harness, key), 30 * MINUTE + SLACK, 'after a refresh near the absolute end')
})

t.test('a retry, a forgery and a refused end don’t change the TTL of a session', async (t) => {
  const harness = await openOnRedis(t)
  const { session, token } = await begin(harness)
  const key = harness.keys.session(session.sid)
  await rotated(t, harness, token)
  await harness.advance(5 * SECOND)
  t.equal((await use(harness, token)).outcome.kind, 'retried')
  t.equal((await use(harness, { ...token, family: 'x' })).outcome.kind, 'forged')
  t.equal((await end(harness, session.sid, { sub: 'mallory' })).kind, 'foreign')
  isAbout(t, await lifeOf(harness, key), IDLE + SLACK - 5 * SECOND, 'as after the rotation')
})

t.test('a tombstone has its own TTL, which a repeated end doesn’t change', async (t) => {
  const harness = await openOnRedis(t)
  for (const absolute of [SECOND, ABSOLUTE]) {
    const { session } = await begin(harness, { absolute })
    const key = harness.keys.session(session.sid)
    await end(harness, session.sid)
    isAbout(t, await lifeOf(harness, key), TOMBSTONE, 'after the end')
    await harness.advance(MINUTE)
    t.equal((await end(harness, session.sid)).kind, 'already_ended')
    isAbout(t, await lifeOf(harness, key), TOMBSTONE - MINUTE, 'after the second')
  }
})

t.test('an index lives until the end of its longest session, and is never shortened', async (t) => {
  const harness = await openOnRedis(t)
  const sub = someone()
  const key = harness.keys.subject(sub)
  await begin(harness, { sub, absolute: 10 * MINUTE })
  isAbout(t, await lifeOf(harness, key), 10 * MINUTE + INDEX_SLACK, 'one short session')
  const long = await begin(harness, { sub })
  isAbout(t, await lifeOf(harness, key), ABSOLUTE + INDEX_SLACK, 'a longer one')
  const short = await begin(harness, { sub, absolute: 10 * MINUTE })
  await rotated(t, harness, short.token)
  await end(harness, short.session.sid)
  await living(harness.store, sub, harness.clock.now())
  isAbout(t, await lifeOf(harness, key), ABSOLUTE + INDEX_SLACK, 'another short one, used and ended')
  await harness.advance(11 * MINUTE)
  t.same(await sidsOf(harness, sub), [long.session.sid])
  await rotated(t, harness, long.token)
  isAbout(t, await lifeOf(harness, key), ABSOLUTE + INDEX_SLACK - 11 * MINUTE, 'the long one, refreshed')
})

t.test('without an absolute limit, each refresh extends the index', async (t) => {
  const harness = await openOnRedis(t)
  const { session, token } = await begin(harness, { absolute: 0 })
  const key = harness.keys.subject(session.sub)
  isAbout(t, await lifeOf(harness, key), IDLE + INDEX_SLACK, 'after the login')
  let current = token
  for (let i = 0; i < 3; i += 1) {
    await harness.advance(50 * MINUTE)
    isAbout(t, await lifeOf(harness, key), 10 * MINUTE + INDEX_SLACK, '50 minutes later')
    current = await rotated(t, harness, current)
    isAbout(t, await lifeOf(harness, key), IDLE + INDEX_SLACK, 'after a refresh')
  }
  t.same(await sidsOf(harness, session.sub), [session.sid])
})

t.test('an index entry that a rotation failed to write is written by its retry', async (t) => {
  const harness = await openOnRedis(t)
  const { session, token } = await begin(harness, { absolute: 0 })
  await rotated(t, harness, token)
  t.equal(await harness.servers[0]!.del(harness.keys.subject(session.sub)), 1)
  t.same(await sidsOf(harness, session.sub), [])
  t.equal((await use(harness, token)).outcome.kind, 'retried')
  t.same(await sidsOf(harness, session.sub), [session.sid])
  isAbout(t, await lifeOf(harness, harness.keys.subject(session.sub)), IDLE + INDEX_SLACK, 'its index')
})

t.test('an index is pruned when it is read and at the next login', async (t) => {
  const harness = await openOnRedis(t)
  const [server] = harness.servers
  const sub = someone()
  const key = harness.keys.subject(sub)
  await begin(harness, { sub, absolute: HOUR })
  const ended = await begin(harness, { sub, absolute: 10 * HOUR })
  const alive = await begin(harness, { sub, idle: 0, absolute: 10 * HOUR })
  await end(harness, ended.session.sid)
  await harness.advance(10 * MINUTE)
  t.equal((await sidsOf(harness, sub)).length, 2)
  t.equal(await server!.zcard(key), 3, 'an end that nobody finished stays')
  await harness.store.unindex(sub, [ended.session.sid])
  await harness.advance(2 * HOUR)
  t.same(await sidsOf(harness, sub), [alive.session.sid])
  t.same(await server!.zrange(key, '0', '-1'), [alive.session.sid])

  await begin(harness, { sub, absolute: HOUR })
  await harness.advance(2 * HOUR)
  t.equal(await server!.zcard(key), 2, 'nobody has read it')
  const last = await begin(harness, { sub })
  t.same((await server!.zrange(key, '0', '-1')).toSorted(), [alive.session.sid, last.session.sid].toSorted())
})

t.test('an id without a record isn’t listed and isn’t pruned', async (t) => {
  const harness = await openOnRedis(t)
  const { session } = await begin(harness)
  await harness.servers[0]!.del(harness.keys.session(session.sid))
  t.same(await sidsOf(harness, session.sub), [])
  t.equal(await harness.servers[0]!.zcard(harness.keys.subject(session.sub)), 1)
})

t.test('a clock that is ahead for a moment removes no id from an index', async (t) => {
  const harness = await openOnRedis(t)
  const { clock, keys, servers } = harness
  const sub = someone()
  clock.advance(Date.now() - clock.now())
  const { session } = await begin(harness, { sub, absolute: 10 * MINUTE })
  clock.advance(HOUR)
  t.same(await sidsOf(harness, sub), [], 'by this clock it has ended')
  await begin(harness, { sub, absolute: 10 * MINUTE })
  t.ok((await servers[0]!.zrange(keys.subject(sub), '0', '-1')).includes(session.sid))
  clock.advance(-HOUR)
  t.ok((await sidsOf(harness, sub)).includes(session.sid), 'right again, it is found')
})
