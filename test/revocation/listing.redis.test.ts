/** The list of what is denied: read from the log in bounded pages, however large the rest of the store is. */
import t from 'tap'
import { listDenylist } from '../../src/revocation/list-denylist.js'
import type { ListQuery } from '../../src/revocation/denylist.js'
import { monitored } from '../support/redis-session-store.js'
import { redisUrl } from '../support/redis.js'
import { KEEP, openLog } from '../support/revocation-log.js'
import type { LogRig } from '../support/revocation-log.js'

const list = ({ server, keys }: LogRig, query: ListQuery = {}) =>
  listDenylist(server, keys, query, Date.now())

/** All pages: the ids, and how many pages there were. */
async function walk(rig: LogRig, query: ListQuery): Promise<{ ids: string[]; pages: number }> {
  const ids: string[] = []
  for (let pages = 1, cursor: string | undefined; ; pages += 1) {
    const page = await list(rig, { ...query, cursor })
    ids.push(...page.entries.map(({ id }) => id))
    cursor = page.nextCursor
    if (cursor === undefined || pages > 100) return { ids, pages }
  }
}

const name = (i: number) => `session-${String(i).padStart(5, '0')}`

t.test('every entry is on exactly one page, newest first, including rows with many entries', async (t) => {
  const rig = openLog(t)
  await rig.deny('old-1', 'old-2')
  const many = Array.from({ length: 1_200 }, (_, i) => ({
    kind: 'sid' as const,
    id: name(i),
    before: 0,
    until: Date.now() + KEEP,
  }))
  await rig.log.publish(many, Date.now())
  await rig.deny('new-1', 'new-2')
  for (const limit of [1_000, 97]) {
    const { ids } = await walk(rig, { limit })
    t.strictSame(ids.slice(0, 2), ['new-2', 'new-1'])
    t.strictSame(ids.slice(-2), ['old-2', 'old-1'])
    t.strictSame(ids.slice(2, -2).toSorted(), many.map(({ id }) => id).toSorted())
  }
})

t.test('a search without matches examines a bounded number of entries and returns a cursor', async (t) => {
  const rig = openLog(t)
  for (let i = 0; i < 12; i += 1)
    await rig.deny(...Array.from({ length: 1_000 }, (_, n) => name(i * 1_000 + n)))
  const first = await list(rig, { search: 'no such text' })
  t.strictSame(first.entries, [])
  t.ok(first.nextCursor)
  t.strictSame(await walk(rig, { search: 'no such text' }), { ids: [], pages: 3 })
  t.strictSame((await walk(rig, { search: name(17) })).ids, [name(17)], 'the oldest, too')
})

t.test('listing the denylist never scans the keyspace', async (t) => {
  const rig = openLog(t)
  await rig.revoke({ kind: 'sid', id: 's1', reason: 'why' })
  const run = await monitored(t, redisUrl(), rig.prefix, () => list(rig))
  t.strictSame([...new Set(run.map(([command]) => command?.toUpperCase()))].toSorted(), ['MGET', 'XREVRANGE'])
})

t.test('expired entries aren’t listed, and a lengthened entry shows its later end', async (t) => {
  const rig = openLog(t)
  const now = Date.now()
  await rig.revoke(
    { kind: 'jti', id: 'over', until: now - 1_000 },
    { kind: 'jti', id: 'long', until: now + 60_000, reason: 'first' },
    { kind: 'jti', id: 'long', until: now + 30_000, reason: 'second' },
  )
  t.strictSame((await list(rig)).entries, [
    { kind: 'jti', id: 'long', before: 0, until: now + 60_000, reason: 'second' },
  ])
})

t.test('an entry of kind lost has its reason, also after it was published again', async (t) => {
  const rig = openLog(t)
  const { epoch } = await rig.sync()
  await rig.revoke({ kind: 'lost', id: 'ada', before: 'birth', reason: 'logout' })
  const id = `${epoch.slice(0, 8)}ada`
  const { entries } = await list(rig)
  t.match(entries, [{ kind: 'lost', id, reason: 'logout' }])
  const entry = { kind: 'lost', id: 'XXXXXXXXben', before: 1_000, until: Date.now() + KEEP } as const
  await rig.log.publish([entry], Date.now())
  await rig.log.deny([entry], 'republished')
  t.match((await list(rig, { search: 'ben' })).entries, [{ id: entry.id, reason: 'republished' }])
  t.match((await list(rig, { search: 'logout' })).entries, [{ id }], 'and is found by it')
})
