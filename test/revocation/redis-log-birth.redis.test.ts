/** `before: 'birth'`: what was issued before the epoch, to a subject whose sessions may be lost. */
import t from 'tap'
import { LOG_SETTINGS } from '../support/open-denylist.js'
import { KEEP, openLog } from '../support/revocation-log.js'

const { tolerance } = LOG_SETTINGS
const birth = { kind: 'lost', id: 'alice', before: 'birth' } as const

t.test('a lost entry covers tokens up to the birth of the epoch plus the clock tolerance', async (t) => {
  const rig = openLog(t)
  const { epoch } = await rig.sync()
  const born = Number((await rig.state())['born'])
  t.ok(Math.abs(born - Date.now()) < 60_000)
  await rig.revoke(birth, { kind: 'sid', id: 's' })
  const { entries } = await rig.sync()
  t.match(entries, [
    { kind: 'lost', id: `${epoch.slice(0, 8)}alice`, before: born + 3 * tolerance },
    { kind: 'sid', id: 's' },
  ])
  t.match(await rig.server.get(rig.keys.deny('lost', 'alice')), new RegExp(`^${born + 3 * tolerance} `))
})

t.test('a lost entry is left out once no token from before the epoch can be alive', async (t) => {
  const rig = openLog(t)
  const { epoch } = await rig.sync({ instance: 'a' })
  await rig.server.hset(rig.keys.logState, 'born', Date.now() - KEEP - 60_000)
  t.match(await rig.revoke(birth), { epoch, position: { ms: 0, seq: 0 }, members: [{ id: 'a' }] })
  const { position } = await rig.revoke(birth, { kind: 'sid', id: 's' })
  t.ok(position.ms > 0)
  const reply = await rig.sync()
  t.match(reply.entries, [{ kind: 'sid', id: 's' }])
  t.equal(reply.entries.length, 1)
  t.equal(reply.epoch, epoch, 'the log has as many entries as were counted')
  t.equal(await rig.server.exists(rig.keys.deny('lost', 'alice')), 0)
})

t.test('a state without a birth time, from an older version, gets the current time once', async (t) => {
  const rig = openLog(t)
  const { epoch } = await rig.sync()
  t.equal(await rig.server.hdel(rig.keys.logState, 'born'), 1)
  const reply = await rig.sync()
  t.equal(reply.epoch, epoch)
  const born = Number((await rig.state())['born'])
  t.ok(Math.abs(born - reply.time) < 2_000)
  await rig.revoke(birth)
  t.match((await rig.sync()).entries, [{ kind: 'lost', before: born + 3 * tolerance }])
})
