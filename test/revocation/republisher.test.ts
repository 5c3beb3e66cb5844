import t from 'tap'
import type { DenylistEntry } from '../../src/revocation/entry.js'
import type { RevocationLog } from '../../src/revocation/replica/revocation-log.js'
import { Republisher } from '../../src/revocation/replica/republisher.js'
import { soon } from '../support/gateway-process.js'
import { LAPSE, LEASE, place, Rig, sid, WALL } from '../support/replica-instance.js'

const TWO = { epoch: 'epoch-two-2', settled: false, since: WALL + 6_000, epochPrefixes: ['epoch-tw'] }

/** A survivor that holds these, in an epoch whose log has none of them, and a log that notes what is done to it. */
function survivor(entries: readonly DenylistEntry[]) {
  const rig = new Rig({ page: 2 })
  rig.sync({ entries, last: place(9) })
  rig.sync(TWO)
  const calls: string[] = []
  const note = (name: string, page: readonly DenylistEntry[]) =>
    calls.push(`${name} ${page.map(({ id }) => id).join(' ')}`)
  let position = 20
  const failures = new Set<string>()
  const fail = (name: string) => {
    if (failures.has(name)) throw new Error(name)
  }
  const log: RevocationLog = {
    sync: () => Promise.reject(new Error('not used')),
    revoke: () => Promise.reject(new Error('not used')),
    leave: () => Promise.resolve(),
    publish: async (page) => {
      fail('publish')
      note('publish', page)
      return rig.written({ epoch: TWO.epoch, position: place((position += 1)) })
    },
    deny: async (page) => {
      fail('deny')
      note('deny', page)
    },
  }
  const republisher = new Republisher({
    instance: rig.instance,
    log,
    lease: LEASE,
    now: () => rig.now,
    endSessions: async (sids) => {
      fail('end')
      calls.push(`end ${sids.join(' ')}`)
    },
  })
  /** The log is read to its end. */
  const readBack = (page: readonly DenylistEntry[], settled = false) =>
    rig.sync({ ...TWO, settled, entries: page, last: place(position) })
  return { rig, republisher, calls, failures, readBack }
}

const JTI = { ...sid('j1'), kind: 'jti' } as const

t.test('sessions are ended before their entries are written to the log', async (t) => {
  const { republisher, calls } = survivor([sid('s1'), JTI])
  t.equal(await republisher.advance(), true, 'a sync follows at once')
  t.strictSame(calls[0], 'end s1')
  t.match(calls[1], /^publish (s1 j1|j1 s1)$/)
})

t.test('nothing is written twice: the next page waits until the previous one was read back', async (t) => {
  const { republisher, calls, readBack } = survivor([sid('s1')])
  t.equal(await republisher.advance(), true)
  t.equal(await republisher.advance(), false)
  readBack([sid('s1')])
  t.equal(await republisher.advance(), false, 'nothing is left')
  t.strictSame(
    calls.filter((call) => !call.startsWith('deny')),
    ['end s1', 'publish s1'],
  )
})

for (const step of ['end', 'publish']) {
  t.test(`the same page is written again after “${step}” has failed`, async (t) => {
    const { republisher, calls, failures } = survivor([sid('s1')])
    failures.add(step)
    t.equal(await republisher.advance(), false)
    t.notOk(calls.includes('publish s1'))
    failures.clear()
    t.equal(await republisher.advance(), true)
    t.ok(calls.includes('publish s1'))
  })
}

t.test('denylist keys are written only under a lease, and again after a failure', async (t) => {
  const { rig, republisher, calls, failures, readBack } = survivor([sid('s1')])
  await republisher.advance()
  rig.advance(LAPSE)
  readBack([sid('s1')])
  t.equal(rig.state, 'SETTLING')
  await republisher.advance()
  t.notOk(calls.includes('deny s1'), 'no lease')
  readBack([], true)
  t.equal(rig.state, 'LEASED')
  failures.add('deny')
  await republisher.advance()
  failures.clear()
  t.notOk(calls.includes('deny s1'))
  await republisher.advance()
  await soon('the key is written', () => calls.includes('deny s1'))
})

t.test('denylist keys of an epoch that has ended are left to the next epoch', async (t) => {
  const { rig, republisher, calls, readBack } = survivor([sid('s1')])
  await republisher.advance()
  readBack([sid('s1')], true)
  rig.sync({ ...TWO, epoch: 'epoch-three', settled: true })
  t.equal(rig.state, 'LEASED')
  await republisher.advance()
  t.notOk(calls.includes('deny s1'))
  t.equal(calls.filter((call) => call === 'publish s1').length, 2, 'the entry is published again instead')
})

t.test('a stopped republisher writes no denylist keys', async (t) => {
  const { republisher, calls, readBack } = survivor([sid('s1')])
  await republisher.advance()
  readBack([sid('s1')], true)
  republisher.stop()
  await republisher.advance()
  t.strictSame(calls, ['end s1', 'publish s1'])
})
