import t from 'tap'
import type { SyncReply } from '../../src/revocation/replica/revocation-log.js'
import { LAPSE, place, Rig, sid } from '../support/replica-instance.js'

const entries = [{ ...sid('s1'), reason: '' }]
const members = [
  { id: 'me', version: 7 },
  { id: 'a', version: 8 },
  { id: 'b', version: 9 },
]

/** A revoke whose script has answered that its entries end at 10-0. */
function waiting(rig = new Rig()) {
  rig.sync()
  const barrier = rig.instance.revoke(entries, rig.now)
  rig.instance.onRevoke(barrier, rig.instance.generation, rig.written({ members }), rig.now)
  rig.advance(1)
  return { rig, barrier }
}

/** A member list in which these have come so far. */
function at(places: Record<string, number>): SyncReply['members'] {
  return Object.entries(places).map(([id, ms], i) => ({ id, version: 20 + i, applied: place(ms) }))
}

const read = { entries: [sid('s1')], last: place(10) }

t.test('a revoke returns only after every member at its time has acknowledged', async (t) => {
  const { rig, barrier } = waiting()
  rig.sync({ ...read, members: at({ me: 0, a: 0, b: 0 }) })
  t.equal(barrier.state.kind, 'waiting')
  rig.sync({ members: at({ me: 10, a: 10, b: 9 }) })
  t.equal(barrier.state.kind, 'waiting', 'b lacks it')
  t.ok(rig.instance.isWaiting)
  rig.sync({ members: at({ me: 10, a: 10, b: 11 }) })
  t.strictSame(barrier.state, { kind: 'closed', by: 'acknowledgement' })
  t.notOk(rig.instance.isWaiting)
})

t.test('a revoke waits neither for members that joined later nor for members that left', async (t) => {
  const { rig, barrier } = waiting()
  rig.sync({ ...read, members: at({ me: 0, a: 10, later: 0 }) })
  t.equal(barrier.state.kind, 'closed')
})

t.test('a sync that didn’t request the member list proves nothing about members', async (t) => {
  const { rig, barrier } = waiting()
  const sync = rig.instance.sync(rig.now, { who: false })
  rig.answer(sync, { ...read, members: [] })
  t.equal(barrier.state.kind, 'waiting')
})

t.test('a sync sent before the script responded closes no barrier', async (t) => {
  const rig = new Rig()
  rig.sync()
  const barrier = rig.instance.revoke(entries, rig.now)
  const early = rig.instance.sync(rig.now)
  rig.instance.onRevoke(barrier, rig.instance.generation, rig.written({ members }), rig.now)
  rig.answer(early, { ...read, members: at({ me: 10, a: 10, b: 10 }) })
  t.equal(barrier.state.kind, 'waiting', 'also in the same millisecond')
  rig.sync({ members: at({ me: 10, a: 10, b: 10 }) })
  t.equal(barrier.state.kind, 'closed')
})

t.test('a barrier stays open until the origin itself has applied the entries', async (t) => {
  const { rig, barrier } = waiting()
  rig.sync({ entries: [sid('s0')], last: place(9), more: true, members: at({ a: 10, b: 10 }) })
  t.equal(barrier.state.kind, 'waiting')
  rig.sync({ ...read, members: at({ a: 10, b: 10 }) })
  t.equal(barrier.state.kind, 'closed')
})

for (const [name, change] of [
  ['an epoch that isn’t settled', { settled: false }],
  ['replicas that may lack it', { waitOk: false }],
] as const)
  t.test(`in ${name}, neither acknowledgements nor a lapse close the barrier`, async (t) => {
    const { rig, barrier } = waiting()
    rig.sync({ ...read, ...change, members: at({ a: 10, b: 10 }) })
    t.equal(barrier.state.kind, 'waiting')
    rig.advance(LAPSE)
    rig.sync({ ...change, members: at({ a: 10, b: 10 }) })
    t.equal(barrier.state.kind, 'waiting')
    rig.sync({ members: at({ a: 10, b: 10 }) })
    t.equal(barrier.state.kind, 'closed')
  })

t.test(
  'a barrier closes by lapse on a sync sent W after the script’s response, which reports silent members as dead',
  async (t) => {
    const { rig, barrier } = waiting()
    rig.sync({ ...read, members: at({ a: 10, b: 0 }) })
    rig.advance(LAPSE - 3)
    const tooEarly = rig.instance.sync(rig.now)
    t.strictSame(tooEarly.request.dead, [])
    rig.advance(5)
    rig.answer(tooEarly, { members: at({ a: 10, b: 0 }) })
    t.equal(barrier.state.kind, 'waiting', 'it counts when a sync was sent, not when it was answered')
    const late = rig.instance.sync(rig.now)
    t.strictSame(
      late.request.dead,
      [{ id: 'b', version: 9 }],
      'with the version of then, and not who acknowledged',
    )
    rig.answer(late, { members: at({ a: 10 }) })
    t.strictSame(barrier.state, { kind: 'closed', by: 'lapse' })
  },
)

t.test('a new epoch restarts the barrier, and only the entries written in it count', async (t) => {
  const { rig, barrier } = waiting()
  rig.sync({ ...read, epoch: 'epoch-two-2', last: place(50), members: at({ a: 50, b: 50 }) })
  t.equal(barrier.state.kind, 'writing')
  rig.instance.onRevoke(
    barrier,
    rig.instance.generation,
    rig.written({ epoch: 'epoch-two-2', position: place(60), members }),
    rig.now,
  )
  rig.sync({ epoch: 'epoch-two-2', members: at({ a: 50, b: 50 }) })
  t.equal(barrier.state.kind, 'waiting')
  rig.sync({ epoch: 'epoch-two-2', last: place(60), entries: [sid('s1')], members: at({ a: 60, b: 60 }) })
  t.equal(barrier.state.kind, 'closed')
})

t.test('a script response from an epoch that was left restarts the barrier', async (t) => {
  const rig = new Rig()
  rig.sync()
  const barrier = rig.instance.revoke(entries, rig.now)
  const { generation } = rig.instance
  rig.sync({ epoch: 'epoch-two-2' })
  rig.instance.onRevoke(barrier, generation, rig.written({ members }), rig.now)
  t.equal(barrier.state.kind, 'writing')
  t.equal(rig.instance.epoch, 'epoch-two-2')
})

t.test('an instance can learn of a new epoch from a script’s response', async (t) => {
  const rig = new Rig()
  rig.sync()
  const barrier = rig.instance.revoke(entries, rig.now)
  rig.instance.onRevoke(barrier, rig.instance.generation, rig.written({ epoch: 'epoch-two-2' }), rig.now)
  t.equal(rig.instance.epoch, 'epoch-two-2')
  t.equal(barrier.state.kind, 'waiting')
  t.strictSame(rig.instance.applied, place(0))
})

t.test('a revoke gives up after 2W + 1 s, restarts included, and its barrier is dropped', async (t) => {
  const { rig, barrier } = waiting()
  t.equal(barrier.deadline, 5_001 + 2 * LAPSE + 1_000)
  rig.sync({ epoch: 'epoch-two-2' })
  t.equal(barrier.deadline, 5_001 + 2 * LAPSE + 1_000)
  rig.instance.abandon(barrier)
  t.notOk(rig.instance.isWaiting)
})
