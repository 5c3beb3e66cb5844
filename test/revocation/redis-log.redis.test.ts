/**
 * What the two scripts of the log do and answer; when they begin a new epoch is in redis-log-epoch.redis.test.ts, who
 * takes part in redis-log-members.redis.test.ts.
 */
import t from 'tap'
import { EVICTED, formatPosition, isAtOrAfter, START } from '../../src/revocation/entry.js'
import { connect } from '../support/redis.js'
import { monitored } from '../support/redis-session-store.js'
import { redisUrl, startRedis } from '../support/redis.js'
import { KEEP, openLog } from '../support/revocation-log.js'
import { LOG_SETTINGS } from '../support/open-denylist.js'

const { tolerance } = LOG_SETTINGS

t.test('the first sync begins an epoch and returns its complete state', async (t) => {
  const { sync, state, server, keys } = openLog(t)
  const begunAt = Date.now()
  const reply = await sync({ instance: 'a' })
  const endedAt = Date.now()
  t.match(reply.epoch, /^[\w-]{12}$/)
  t.ok(reply.time >= begunAt - 1 && reply.time <= endedAt + 1, 'the time of Redis')
  const [[id]] = (await server.xrange(keys.log, '-', '+')) as [[string, string[]]]
  t.strictSame(
    { ...reply, epoch: '', time: 0, last: formatPosition(reply.last ?? START) },
    {
      epoch: '',
      settled: false,
      since: reply.time + 3 * tolerance,
      epochPrefixes: [reply.epoch.slice(0, 8)],
      time: 0,
      entries: [],
      last: id,
      more: false,
      members: [{ id: 'a', version: 1, applied: START }],
      waitOk: true,
    },
    'a page of nothing but the marker still has its place',
  )
  t.match(await state(), { epoch: reply.epoch, settled: '0', n: '1', len: '1', boot: /^\w{80}$/ })
})

t.test('entries are returned as written, capped, in order, with the position of the last one', async (t) => {
  const { sync, revoke } = openLog(t)
  const now = Date.now()
  const { epoch, position } = await revoke(
    { kind: 'jti', id: 'j', until: now + 60_000 },
    { kind: 'jti', id: 'far', until: now + 100 * KEEP },
    { kind: 'sid', id: 'a b\n{c}\u{1f980}' },
    { kind: 'sub', id: 'u', before: 12_345 },
    { kind: 'all', id: '*', before: 'now' },
    { kind: 'kid', id: 'k' },
  )
  const reply = await sync()
  t.equal(reply.epoch, epoch)
  t.strictSame(reply.last, position)
  const [jti, far, sid, sub, all, kid] = reply.entries
  const before = all!.before
  t.ok(before >= now + tolerance - 1 && before <= reply.time + tolerance, 'now is the time of Redis and τ')
  const until = before - tolerance + KEEP
  t.strictSame(
    [jti, far, sid, sub, all, kid],
    [
      { kind: 'jti', before: 0, until: now + 60_000, id: 'j' },
      { kind: 'jti', before: 0, until, id: 'far' },
      { kind: 'sid', before: 0, until, id: 'a b\n{c}\u{1f980}' },
      { kind: 'sub', before: 12_345, until, id: 'u' },
      { kind: 'all', id: '*', before, until },
      { kind: 'kid', before: 0, until, id: 'k' },
    ],
  )
  t.equal(reply.entries.length, 6)
})

t.test('a denylist key is only ever lengthened, and has the latest reason', async (t) => {
  const { revoke, server, keys, sync } = openLog(t)
  const now = Date.now()
  const of = async () => (await server.get(keys.deny('sub', 'u')))?.split(' ')
  const minutes = (n: number) => now + n * 60_000
  await revoke({ kind: 'sub', id: 'u', before: 5_000, until: minutes(5), reason: 'first' })
  t.strictSame(await of(), ['5000', String(minutes(5)), 'first'])
  await revoke({ kind: 'sub', id: 'u', before: 4_000, until: minutes(4), reason: 'second' })
  t.strictSame(await of(), ['5000', String(minutes(5)), 'second'])
  await revoke({ kind: 'sub', id: 'u', before: 6_000, until: minutes(3), reason: 'third one' })
  t.strictSame(await of(), ['6000', String(minutes(5)), 'third', 'one'])
  await revoke({ kind: 'sub', id: 'u', before: 1_000, until: minutes(6) })
  t.strictSame(await of(), ['6000', String(minutes(6)), ''])
  await revoke({ kind: 'sub', id: 'u', before: 9_000, until: now - 60_000 })
  t.strictSame(await of(), ['9000', String(minutes(6)), ''], 'also by one that is over itself')
  t.equal(Number(await server.call('PEXPIRETIME', keys.deny('sub', 'u'))), minutes(6))
  t.strictSame(
    (await sync()).entries.map(({ before }) => before),
    [5_000, 4_000, 6_000, 1_000, 9_000],
    'the log has each as it came',
  )
})

t.test('an entry that has already expired is logged but gets no key', async (t) => {
  const { revoke, server, keys, sync } = openLog(t)
  await revoke({ kind: 'jti', id: 'j', until: Date.now() - 1_000 })
  t.equal(await server.exists(keys.deny('jti', 'j')), 0)
  t.equal((await sync()).entries.length, 1)
})

t.test('a page has as many entries as requested, and tells if more follow', async (t) => {
  const { sync, deny } = openLog(t)
  const { epoch } = await sync()
  const sids = Array.from({ length: 25 }, (_, i) => `s${i}`)
  await deny(...sids)
  const seen: string[] = []
  const sizes: [number, boolean][] = []
  let [applied, more] = [START, true]
  while (more && sizes.length < 10) {
    const reply = await sync({ epoch, applied, count: 10 })
    seen.push(...reply.entries.map(({ id }) => id))
    sizes.push([reply.entries.length, reply.more])
    t.ok(reply.last && isAtOrAfter(reply.last, applied))
    applied = reply.last ?? applied
    more = reply.more
  }
  t.strictSame(seen, sids, 'each once, in order, though all are of one millisecond or two')
  t.strictSame(sizes, [
    [9, true],
    [10, true],
    [6, false],
  ])
  const last = await sync({ epoch, applied })
  t.match(last, { entries: [], more: false })
  t.equal(last.last, undefined)
  t.equal((await sync({ epoch, applied: START, count: 26 })).more, false, 'a page that is just full')
})

t.test('positions within one millisecond compare as numbers', async (t) => {
  const { sync, revoke, server, keys } = openLog(t)
  const { epoch } = await sync()
  const many = Array.from({ length: 120 }, (_, i) => ({ kind: 'sid', id: `s${i}` }) as const)
  // Redis never goes back, so all later entries get this millisecond, until its clock has passed it.
  const ms = Date.now() + 60_000
  await server.call('XSETID', keys.log, `${ms}-0`)
  await revoke(...many)
  for (const seq of [9, 10, 99]) {
    const { entries } = await sync({ epoch, applied: { ms, seq }, count: 1_000 })
    t.strictSame(
      entries.map(({ id }) => id),
      many.slice(seq).map(({ id }) => id),
      `after ${seq}`,
    )
  }
  t.ok(isAtOrAfter({ ms, seq: 10 }, { ms, seq: 9 }) && !isAtOrAfter({ ms, seq: 9 }, { ms, seq: 10 }))
})

t.test('both keys live for H + G + 1 minute after the last call of either script', async (t) => {
  const { sync, deny, server, keys } = openLog(t)
  const life = KEEP + 60_000
  for (const call of [() => sync(), () => deny('s'), () => sync({ instance: 'a' })]) {
    await call()
    for (const key of [keys.log, keys.logState]) {
      const left = await server.pttl(key)
      t.ok(left <= life && left > life - 2_000, `${left} of ${life} ms`)
      await server.pexpire(key, 50_000)
    }
  }
})

t.test('entries that can’t match any token are trimmed, and `len` stays correct', async (t) => {
  const { sync, deny, state, server, keys } = openLog(t)
  for (let i = 1; i <= 350; i += 1) await server.xadd(keys.log, `${i}-0`, 'e', `sid 0 0 s${i}`)
  const { epoch } = await sync()
  t.equal(await server.xlen(keys.log), 351)
  await deny('the last')
  // Redis removes whole nodes of the stream, which have 100 entries each.
  const left = await server.xlen(keys.log)
  t.ok(left < 352 - 200, `${left} are left`)
  t.equal((await state())['len'], String(left))
  const reply = await sync({ count: 1_000 })
  t.equal(reply.epoch, epoch, 'our own trim begins no epoch')
  t.equal(reply.entries.at(-1)?.id, 'the last')
})

t.test('a log trimmed to nothing still exists and accepts entries', async (t) => {
  const { sync, deny, state, server, keys } = openLog(t)
  const { epoch } = await sync()
  await deny('s')
  await server.xtrim(keys.log, 'MAXLEN', '=', 0)
  await server.hset(keys.logState, 'len', '0')
  t.match(await sync(), { epoch, entries: [], more: false })
  const { position } = await deny('t')
  t.match(await sync(), { epoch, entries: [{ id: 't' }], last: position })
  t.equal((await state())['len'], '1')
})

t.test('concurrent revokes keep `len` correct', async (t) => {
  const { sync, deny, state, server, keys, prefix } = openLog(t)
  const { epoch } = await sync()
  const others = [openLog(t, { prefix }), openLog(t, { prefix })]
  await Promise.all(
    Array.from({ length: 60 }, (_, i) => [...others, { deny }][i % 3]!.deny(...Array(i % 7).fill('s'), 'z')),
  )
  const len = Array.from({ length: 60 }, (_, i) => (i % 7) + 1).reduce((sum, n) => sum + n, 1)
  t.equal(await server.xlen(keys.log), len)
  t.equal((await state())['len'], String(len))
  t.equal((await sync()).epoch, epoch)
})

t.test('a sync is one command and touches only its two keys', async (t) => {
  const { sync, keys, prefix } = openLog(t)
  await sync()
  const run = await monitored(t, redisUrl(), prefix, () => sync({ instance: 'a' }))
  t.equal(run.filter(([name]) => name === 'EVALSHA').length, 1)
  const touched = run.filter(([name]) => name !== 'EVALSHA').map(([, key]) => key)
  t.ok(touched.length > 5)
  t.strictSame([...new Set(touched)].toSorted(), [keys.log, keys.logState].toSorted())
})

t.test('a read-only replica refuses both scripts', async (t) => {
  const primary = await startRedis(t)
  const args = ['--replicaof', '127.0.0.1', String(primary.port)]
  const replica = await startRedis(t, { args })
  const admin = connect(t, replica.url)
  while (!(await admin.info('replication')).includes('master_link_status:up')) {
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  const { sync, deny } = openLog(t, { url: replica.url })
  await t.rejects(sync(), { code: 'store_unavailable', reason: /READONLY|read only/ })
  await t.rejects(deny('s'), { code: 'store_unavailable', reason: /READONLY|read only/ })
})

t.test(
  'a published page is one row and is read back unchanged; its keys are written separately',
  async (t) => {
    const rig = openLog(t)
    const until = Date.now() + 60_000
    const entries = Array.from({ length: 30 }, (_, i) => ({
      kind: 'sid' as const,
      id: `s${i}\n%`,
      before: i % 2 === 0 ? 0 : EVICTED,
      until: i === 0 ? until + 100 * KEEP : until,
    }))
    await rig.deny('before')
    const { position } = await rig.log.publish(entries, Date.now())
    const { len } = await rig.state()
    t.equal(Number(len), 3, 'the marker, one entry, one row of many')
    const page = await rig.sync({ count: 2 })
    t.strictSame(
      page.entries.map(({ id }) => id),
      ['before'],
    )
    t.equal(page.more, true)
    const rest = await rig.sync({ epoch: page.epoch, applied: page.last!, count: 2 })
    t.strictSame(rest.entries.slice(1), entries.slice(1), 'whole, however long the page')
    t.ok(rest.entries[0]!.until <= Date.now() + KEEP + 1_000, 'no longer than an entry may live')
    t.strictSame(rest.last, position)
    t.equal(rest.more, false)
    t.equal(await rig.server.exists(...entries.map(({ id }) => rig.keys.deny('sid', id))), 0)
    await rig.server.set(
      rig.keys.deny('sid', entries[1]!.id),
      `0 ${until + 5_000} kept`,
      'PXAT',
      until + 5_000,
    )
    await rig.log.deny(entries, 'published again')
    t.equal(
      await rig.server.get(rig.keys.deny('sid', entries[1]!.id)),
      `1 ${until + 5_000} kept`,
      'never shortened, and marked as evicted',
    )
    t.equal(await rig.server.get(rig.keys.deny('sid', entries[2]!.id)), `0 ${until} published again`)
    t.equal((await rig.sync()).epoch, page.epoch, 'the count is right: no new epoch')
  },
)
