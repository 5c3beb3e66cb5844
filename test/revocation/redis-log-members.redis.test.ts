/** Who takes part in the log, and what one who does may say for all: settle, vouch, dead. */
import t from 'tap'
import { START } from '../../src/revocation/entry.js'
import { openLog } from '../support/revocation-log.js'

t.test('each sync registers, renews and acknowledges a member in one step', async (t) => {
  const { sync, deny, members } = openLog(t)
  const { epoch } = await sync({ instance: 'a' })
  const { position } = await deny('s')
  t.strictSame((await sync({ instance: 'b', epoch, applied: START })).members.length, 2)
  const { members: now } = await sync({ instance: 'a', epoch, applied: position })
  t.strictSame(
    now.toSorted((x, y) => (x.id < y.id ? -1 : 1)),
    [
      { id: 'a', version: 3, applied: position },
      { id: 'b', version: 2, applied: START },
    ],
  )
  const { members: told } = await deny('s2')
  t.strictSame(told.map(({ id, version }) => [id, version]).toSorted(), [
    ['a', 3],
    ['b', 2],
  ])
  t.strictSame(await members(), ['a', 'b'])
})

t.test('a position from another epoch doesn’t count as applied', async (t) => {
  const { sync } = openLog(t)
  await sync()
  const applied = { ms: Date.now() + 1_000_000, seq: 5 }
  const { members, entries, last } = await sync({ instance: 'a', epoch: 'another-one', applied })
  t.match(members, [{ id: 'a', applied: START }])
  t.same(entries, [])
  t.ok(last, 'it is read to from the beginning, the marker included')
})

t.test('a tool isn’t registered, and only a sync with `who` gets the member list', async (t) => {
  const { sync, members, state } = openLog(t)
  await sync({ instance: 'a' })
  t.match((await sync({ instance: '' })).members, [{ id: 'a' }])
  t.strictSame(await members(), ['a'])
  t.equal((await state())['n'], '2', 'but every sync is numbered: it is always a write')
  t.strictSame((await sync({ instance: 'b', who: false })).members, [])
})

t.test('a member reported as dead is removed, unless it has synced since', async (t) => {
  const { sync, members } = openLog(t)
  const { epoch } = await sync({ instance: 'a' })
  await sync({ instance: 'b', epoch })
  await sync({ instance: 'a', epoch })
  const dead = [
    { id: 'a', version: 1 },
    { id: 'b', version: 2 },
    { id: 'nobody', version: 9 },
  ]
  await sync({ epoch: 'another-one', dead })
  t.strictSame(await members(), ['a', 'b'], 'not by the word of another epoch')
  const { members: left } = await sync({ epoch, dead })
  t.match(left, [{ id: 'a', version: 3 }])
  t.strictSame(await members(), ['a'])
})

t.test('leave removes the member', async (t) => {
  const { sync, members, log } = openLog(t)
  await sync({ instance: 'a' })
  await sync({ instance: 'b' })
  await log.leave('a')
  t.strictSame(await members(), ['b'])
})

t.test('settle works only with the current epoch, and for all instances', async (t) => {
  const { sync } = openLog(t)
  const { epoch, settled } = await sync()
  t.equal(settled, false)
  t.equal((await sync({ epoch: 'another-one', settle: true })).settled, false)
  t.equal((await sync({ epoch: '', settle: true })).settled, false)
  t.equal((await sync({ epoch, settle: true })).settled, true)
  t.equal((await sync()).settled, true)
})

t.test('vouch keeps the smaller `since` and the prefixes of both, its own first, at most four', async (t) => {
  const { sync } = openLog(t)
  const { epoch, since, epochPrefixes } = await sync()
  const [own] = epochPrefixes
  const vouch = (at: number, ...held: string[]) => sync({ epoch, vouch: { since: at, epochPrefixes: held } })
  t.match(await sync({ epoch: 'another-one', vouch: { since: 1, epochPrefixes: ['AAAAAAAA'] } }), {
    since,
    epochPrefixes,
  })
  t.match(await vouch(since + 1, 'AAAAAAAA'), { since, epochPrefixes: [own, 'AAAAAAAA'] })
  t.match(await vouch(5_000), { since: 5_000, epochPrefixes: [own, 'AAAAAAAA'] })
  const more = await vouch(6_000, 'BBBBBBBB', own!, 'AAAAAAAA', 'CCCCCCCC', 'DDDDDDDD')
  t.equal(more.since, 5_000)
  t.strictSame(more.epochPrefixes, [own, 'AAAAAAAA', 'BBBBBBBB', 'CCCCCCCC'])
  t.strictSame((await vouch(7_000, 'EEEEEEEE')).epochPrefixes, more.epochPrefixes)
})
