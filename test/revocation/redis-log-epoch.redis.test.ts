/** When the log's data may not be what they were, a new epoch begins; and when nothing may be said at all. */
import t from 'tap'
import type { Test } from 'tap'
import { LOG_SETTINGS } from '../support/open-denylist.js'
import { openLog } from '../support/revocation-log.js'
import type { LogRig } from '../support/revocation-log.js'
import { connect, startRedis } from '../support/redis.js'

const { tolerance } = LOG_SETTINGS

/** An epoch that is settled, has been vouched for, has members and an entry. */
async function begun({ sync, deny }: LogRig): Promise<string> {
  const { epoch } = await sync({ instance: 'a' })
  await deny('s')
  const vouch = { since: 5, epochPrefixes: ['AAAAAAAA'] }
  const reply = await sync({ instance: 'b', epoch, settle: true, vouch })
  if (reply.epoch !== epoch || !reply.settled || reply.since !== 5) throw new Error('it did not begin')
  return epoch
}

/** Asserts that the next call, of either kind, is the first of a new epoch, which knows of nothing. */
async function isFresh(t: Test, rig: LogRig, former: string, by: 'sync' | 'revoke'): Promise<void> {
  const told = by === 'revoke' ? await rig.deny('after') : undefined
  const reply = await rig.sync({ instance: 'c', epoch: former, applied: { ms: 1, seq: 0 } })
  t.not(reply.epoch, former)
  if (told) t.match(told, { epoch: reply.epoch, members: [] })
  t.match(reply, { settled: false, members: [{ id: 'c', version: 1, applied: { ms: 0, seq: 0 } }] })
  t.strictSame(reply.epochPrefixes, [reply.epoch.slice(0, 8)])
  t.ok(Math.abs(reply.since - reply.time - 3 * tolerance) < 500, 'since is its birth, with slack')
  t.equal((await rig.state())['len'], String(await rig.server.xlen(rig.keys.log)))
  if (told) t.equal(reply.entries.at(-1)?.id, 'after', 'what was revoked then is part of it')
  t.equal((await rig.sync()).epoch, reply.epoch, 'and it is the only one')
}

const deeds: Record<string, (rig: LogRig) => Promise<unknown>> = {
  'the state is gone': ({ server, keys }) => server.del(keys.logState),
  'the log is gone': ({ server, keys }) => server.del(keys.log),
  'both are gone': ({ server, keys }) => server.del(keys.log, keys.logState),
  'the log was trimmed by another hand': ({ server, keys }) => server.xtrim(keys.log, 'MAXLEN', '=', 1),
  'the log was emptied by another hand': ({ server, keys }) => server.xtrim(keys.log, 'MAXLEN', '=', 0),
  'one entry was deleted': async ({ server, keys }) => {
    const [[id]] = (await server.xrange(keys.log, '-', '+')) as [[string, string[]]]
    return server.xdel(keys.log, id)
  },
  'another hand has added an entry': ({ server, keys }) =>
    server.xadd(keys.log, '*', 'e', 'sid 0 1 somebody'),
  'len is missing': ({ server, keys }) => server.hdel(keys.logState, 'len'),
  'the epoch is missing': ({ server, keys }) => server.hdel(keys.logState, 'epoch'),
  'the state is that of another server': async ({ server, keys }) => {
    await server.hset(keys.logState, 'boot', 'x')
    return (await server.hget(keys.logState, 'boot')) === 'x'
  },
}

for (const [what, deed] of Object.entries(deeds)) {
  for (const by of ['sync', 'revoke'] as const) {
    t.test(`${what}: the next ${by} begins a new epoch`, async (t) => {
      const rig = openLog(t)
      const epoch = await begun(rig)
      t.equal((await rig.sync()).epoch, epoch)
      t.ok(await deed(rig), 'the deed took place')
      await isFresh(t, rig, epoch, by)
    })
  }
}

t.test('the rows that the log still has belong to the new epoch', async (t) => {
  const rig = openLog(t)
  await begun(rig)
  await rig.server.del(rig.keys.logState)
  t.match((await rig.sync()).entries, [{ kind: 'sid', id: 's' }])
})

t.test('a server restarted with its data begins a new epoch', async (t) => {
  const own = await startRedis(t, { args: ['--appendonly', 'yes', '--appendfsync', 'always'] })
  const rig = openLog(t, { url: own.url })
  const epoch = await begun(rig)
  for (const end of [() => own.kill(), () => own.stop()]) {
    const { epoch: former } = await rig.sync()
    await end()
    await own.start()
    await untilConnected(rig)
    t.equal(await rig.server.hget(rig.keys.logState, 'epoch'), former, 'its data are back')
    await isFresh(t, rig, former, 'sync')
    t.match((await rig.sync()).entries, [{ id: 's' }], 'the entry, too')
  }
  t.not((await rig.sync()).epoch, epoch)
})

t.test('a server restarted without data begins a new epoch', async (t) => {
  const own = await startRedis(t)
  const rig = openLog(t, { url: own.url })
  const epoch = await begun(rig)
  await own.kill()
  await own.start()
  await untilConnected(rig)
  await isFresh(t, rig, epoch, 'sync')
  const { epoch: second } = await rig.sync()
  await rig.server.flushall()
  await isFresh(t, rig, second, 'revoke')
})

async function untilConnected({ server }: LogRig): Promise<void> {
  while ((await server.ping().catch(() => '')) !== 'PONG') {
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

t.test('clocks that differ by more than τ: the script does nothing and reports the difference', async (t) => {
  const rig = openLog(t)
  for (const ahead of [tolerance + 100, -tolerance - 100]) {
    const wall = Date.now() + ahead
    const refused = { code: 'store_unavailable', reason: /CLOCK this instance is -?\d+ ms ahead of Redis/ }
    await t.rejects(rig.sync({ instance: 'a' }, wall), refused)
    const entry = { kind: 'sid', id: 's', before: 0, until: undefined, reason: '' } as const
    await t.rejects(rig.log.revoke([entry], wall), refused)
  }
  t.equal(await rig.server.exists(rig.keys.log, rig.keys.logState, rig.keys.deny('sid', 's')), 0)
  for (const ahead of [tolerance - 500, 500 - tolerance]) await rig.sync({}, Date.now() + ahead)
  t.ok((await rig.sync()).epoch)
})

t.test('a server that hides both run_id and master_replid is refused; one of them is enough', async (t) => {
  const own = await startRedis(t)
  const admin = connect(t, own.url)
  const rig = openLog(t, { url: own.url })
  const epoch = await begun(rig)
  const runId = /run_id:(\w+)/.exec(await admin.info('server'))?.[1]
  t.equal((await rig.state())['boot']?.slice(0, 40), runId)
  await admin.acl('SETUSER', 'default', '-info')
  await t.rejects(admin.info(), { message: /NOPERM/ })
  const refused = { code: 'store_unavailable', reason: /NOBOOT INFO shows neither run_id nor master_replid/ }
  await t.rejects(rig.sync(), refused)
  await t.rejects(rig.deny('t'), refused)
  t.equal(await admin.exists(rig.keys.deny('sid', 't')), 0)
  await admin.acl('SETUSER', 'default', '+info')
  t.equal((await rig.sync()).epoch, epoch, 'nothing has changed')
})

t.test('a revoke that Redis refuses midway leaves no trace and begins no epoch', async (t) => {
  const own = await startRedis(t)
  const admin = connect(t, own.url)
  const rig = openLog(t, { url: own.url })
  const epoch = await begun(rig)
  await admin.acl('SETUSER', 'default', '-set')
  await t.rejects(rig.deny('t', 'u'), { code: 'store_unavailable', reason: /NOPERM|can't run this command/ })
  await admin.acl('SETUSER', 'default', '+set')
  t.match(await rig.sync(), { epoch, settled: true, entries: [{ id: 's' }] })
})

t.test(
  'a Redis without free memory takes syncs, revokes, and entries that are published again',
  async (t) => {
    const own = await startRedis(t)
    const admin = connect(t, own.url)
    const rig = openLog(t, { url: own.url })
    const epoch = await begun(rig)
    await admin.config('SET', 'maxmemory', '1')
    await t.rejects(admin.set('x', '1'), { message: /^OOM/ })
    await rig.deny('t', 'u')
    t.ok(await admin.exists(rig.keys.deny('sid', 'u')))
    await rig.log.publish([{ kind: 'sid', id: 'v', before: 0, until: Date.now() + 60_000 }], Date.now())
    const reply = await rig.sync()
    t.match(reply, { epoch, settled: true })
    t.strictSame(
      reply.entries.map(({ id }) => id),
      ['s', 't', 'u', 'v'],
    )
  },
)

t.test('a sync starts a new epoch even if Redis is out of memory', async (t) => {
  const own = await startRedis(t)
  const admin = connect(t, own.url)
  const rig = openLog(t, { url: own.url })
  await admin.config('SET', 'maxmemory', '1')
  t.match(await rig.sync(), { epoch: /.{12}/, settled: false })
  t.ok((await admin.pttl(rig.keys.logState)) > 0)
  t.ok((await admin.pttl(rig.keys.log)) > 0)
})
