/** Wall clocks that are wrong for a moment, or within τ for ever. */
import t from 'tap'
import { place, Rig, sid, WALL } from '../support/replica-instance.js'

const MINUTES = 60_000

t.test('a wall clock that runs ahead for a moment makes an instance forget nothing', async (t) => {
  const rig = new Rig()
  rig.sync({ entries: [sid('s1')], last: place(1) })
  t.equal(rig.decide(), 'sid')
  rig.wall += 20 * MINUTES
  t.equal(rig.decide(), 'no_lease')
  t.equal(rig.decide(), 'no_lease')
  rig.sync({ time: WALL })
  rig.wall -= 20 * MINUTES
  rig.sync()
  t.equal(rig.state, 'LEASED')
  t.equal(rig.instance.size, 1)
  t.equal(rig.decide(), 'sid')
})

t.test('nor does it make an instance forget entries that must be published again', async (t) => {
  const rig = new Rig()
  rig.sync({ entries: [sid('s1')], last: place(1) })
  rig.wall += 20 * MINUTES
  const other = { epoch: 'epoch-two-2', settled: false, time: WALL }
  rig.sync(other)
  t.strictSame(rig.instance.publish(), [sid('s1')])
})

t.test('entries are looked up by the time of Redis, whatever the wall clock says', async (t) => {
  const rig = new Rig()
  rig.sync({ entries: [sid('s1', WALL + 10_000)], last: place(1) })
  rig.wall += 10_500
  t.equal(rig.instance.decideFromReplica(rig.token()).kind, 'revoked')
  rig.wall -= 10_500
  rig.sync({ time: WALL + 9_999 })
  t.equal(rig.decide(), 'sid')
  rig.sync({ time: WALL + 10_000 })
  t.equal(rig.decide(), 'admitted', 'its time has come')
  rig.sync({ time: WALL + 30_000 })
  t.equal(rig.instance.size, 0)
})

t.test('an ignored reply doesn’t move the time either', async (t) => {
  const rig = new Rig()
  rig.sync({ entries: [sid('s1', WALL + 10_000)], last: place(1) })
  const late = rig.instance.sync(rig.now)
  rig.advance(1_001)
  rig.answer(late, { time: WALL + 60_000 })
  t.equal(rig.instance.size, 1)
  t.equal(rig.instance.decideFromReplica(rig.token()).kind, 'revoked')
})

t.test('a lease ends if the wall clock is set back by more than τ', async (t) => {
  const rig = new Rig()
  rig.sync()
  const { wall } = rig
  rig.wall = wall - 2_002
  t.equal(rig.decide(), 'no_lease', 'it would take expired tokens for alive')
  rig.wall = wall - 1_900
  t.equal(rig.decide(), 'admitted')
})

t.test(
  'after a sync, the latest accepted iat depends on the clock of Redis, not on our wall clock',
  async (t) => {
    const rig = new Rig()
    const latest = () => rig.instance.latestIssue(rig.now)
    t.equal(latest(), WALL + 4_000, 'before any sync: each of the two clocks may be off by τ')
    const sync = rig.instance.sync(rig.now)
    rig.advance(30)
    rig.answer(sync, { time: WALL + 2_000 })
    t.equal(latest(), WALL + 2_000 + 30 + 2_000, 'counted from the sending')
    rig.wall -= 1_500
    rig.monotonic += 500
    t.equal(latest(), WALL + 2_000 + 530 + 2_000, 'the own wall clock plays no part')
  },
)

t.test('after a suspension, tokens issued meanwhile need a new lease', async (t) => {
  const rig = new Rig()
  rig.sync()
  rig.wall += 60 * MINUTES
  const iat = rig.wall + 2_000
  t.equal(rig.state, 'LAPSED')
  t.ok(rig.instance.latestIssue(rig.now) >= iat)
})
