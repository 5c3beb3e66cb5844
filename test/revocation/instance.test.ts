import t from 'tap'
import { LAPSE, LEASE, place, Rig, sid, WALL } from '../support/replica-instance.js'

t.test('a reply grants a lease, unless any one condition fails', async (t) => {
  t.equal(new Rig().sync().granted, true)
  t.equal(new Rig().sync({ more: true, last: place(1) }).granted, false, 'the log goes on')
  t.equal(new Rig().sync({ settled: false }).granted, false, 'older leases may run')
  t.equal(new Rig().sync({ waitOk: false }).granted, false, 'a failover could lose it')
  t.equal(new Rig().sync({ time: WALL - 2_000 }).granted, false, 'the clock is too far ahead')
  t.equal(new Rig().sync({ time: WALL - 1_999 }).granted, true)
})

t.test('without a lease there is no decision, with a lease the replica decides', async (t) => {
  const rig = new Rig()
  t.equal(rig.decide(), 'no_lease')
  rig.sync({ entries: [sid('s2')], last: place(1) })
  t.equal(rig.decide(), 'admitted')
  t.equal(rig.decide(rig.token({ sid: 's2' })), 'sid')
})

t.test('a lease counts from the time its sync was sent, on both clocks', async (t) => {
  const rig = new Rig()
  const sync = rig.instance.sync(rig.now)
  rig.advance(600)
  rig.answer(sync)
  t.equal(rig.instance.leaseLeft(rig.now), 400)
  rig.monotonic += 399
  t.equal(rig.decide(), 'admitted')
  rig.monotonic += 1
  t.equal(rig.decide(), 'no_lease', 'over by the monotonic clock')
  rig.monotonic -= 400
  rig.wall += 400
  t.equal(rig.decide(), 'no_lease', 'over by the wall clock: the machine was suspended')
})

t.test('a reply that arrives after L is ignored', async (t) => {
  const rig = new Rig()
  rig.sync()
  const sync = rig.instance.sync(rig.now)
  rig.advance(LEASE + 1)
  const outcome = rig.answer(sync, { epoch: 'epoch-two-2', entries: [sid('s1')], last: place(9) })
  t.strictSame(outcome, { granted: false, again: false, applied: 0, isLeftEpoch: false })
  t.equal(rig.instance.epoch, 'epoch-one-1')
  t.strictSame(rig.instance.applied, place(0))
})

t.test('a reply to a sync of an earlier epoch is ignored', async (t) => {
  const rig = new Rig()
  rig.sync({ last: place(5) })
  const sync = rig.instance.sync(rig.now)
  const barrier = rig.instance.revoke([], rig.now)
  rig.instance.onRevoke(barrier, rig.instance.generation, rig.written({ epoch: 'epoch-two-2' }), rig.now)
  rig.answer(sync, { entries: [sid('s1')], last: place(9) })
  t.equal(rig.instance.epoch, 'epoch-two-2')
  t.strictSame(rig.instance.applied, place(0))
})

t.test('only the last position of a sync moves `applied`, and never back', async (t) => {
  const rig = new Rig()
  rig.sync({ last: place(9), entries: [sid('s1')] })
  rig.sync({ last: place(10), entries: [] })
  t.strictSame(rig.instance.applied, place(10), 'a marker counts, too')
  rig.sync({ last: place(9, 5) })
  rig.sync({ last: undefined })
  t.strictSame(rig.instance.sync(rig.now).request.applied, place(10))
})

t.test('new entries or further pages request another sync at once', async (t) => {
  const rig = new Rig()
  t.match(rig.sync({ entries: [sid('s1')], last: place(1) }), { again: true, applied: 1 })
  t.match(rig.sync({ more: true, last: place(2) }), { again: true })
  t.match(rig.sync(), { again: false, applied: 0 })
})

t.test('the states have the names of the protocol', async (t) => {
  const rig = new Rig()
  t.equal(rig.state, 'OUT')
  rig.sync({ settled: false, more: true, last: place(1) })
  t.equal(rig.state, 'READING')
  rig.sync({ settled: false })
  t.equal(rig.state, 'SETTLING')
  rig.sync()
  t.equal(rig.state, 'LEASED')
  rig.advance(LEASE)
  t.equal(rig.state, 'LAPSED')
  rig.sync({ epoch: 'epoch-two-2', settled: false, more: true, last: place(1) })
  t.equal(rig.state, 'READING')
})

t.test('a new epoch is read from the start of its log, while the old lease runs out', async (t) => {
  const rig = new Rig()
  rig.sync({ last: place(9), entries: [sid('s1')] })
  rig.sync({ epoch: 'epoch-two-2', settled: false, more: true, last: place(1) })
  t.equal(rig.instance.jtiPrefix, 'epoch-tw')
  t.strictSame(rig.instance.applied, place(1))
  t.equal(rig.decide(rig.token({ sid: 's2' })), 'admitted')
  t.equal(rig.decide(), 'sid', 'what the former epoch brought is still denied')
  rig.advance(LEASE)
  t.equal(rig.decide(rig.token({ sid: 's2' })), 'no_lease')
})

t.test('an epoch is settled by an instance that has been in it for W', async (t) => {
  const rig = new Rig()
  rig.sync({ settled: false })
  rig.instance.publish()
  rig.advance(LAPSE - 1)
  t.equal(rig.instance.sync(rig.now).request.settle, false)
  rig.advance(1)
  t.equal(rig.instance.sync(rig.now).request.settle, true)
  rig.sync()
  t.equal(rig.instance.sync(rig.now).request.settle, false, 'once is enough')
})

t.test('a token older than the known history is refused, unless its prefix is known', async (t) => {
  const old = { iat: WALL / 1000 - 60 }
  for (const [onLostHistory, expected] of [
    ['reject', 'history'],
    ['heal', 'history'],
    ['accept', 'admitted'],
  ] as const) {
    const rig = new Rig({ onLostHistory })
    rig.sync()
    t.equal(rig.decide(rig.token({ ...old, jti: 'other-ep.j1' })), expected, onLostHistory)
    t.equal(rig.decide(rig.token({ ...old, jti: 'epoch-on.j1' })), 'admitted')
    t.equal(rig.decide(rig.token({ iat: old.iat + 1, jti: 'other-ep.j1' })), 'admitted')
  }
})

t.test('an epoch that was left is refused until it was offered for 30 s without interruption', async (t) => {
  const rig = new Rig()
  rig.sync({ last: place(5) })
  rig.sync({ epoch: 'epoch-two-2' })
  const offer = () => rig.sync({ epoch: 'epoch-one-1', entries: [sid('s1')], last: place(9) })
  t.strictSame(offer(), { granted: false, again: false, applied: 0, isLeftEpoch: true })
  t.equal(rig.instance.epoch, 'epoch-two-2')
  rig.advance(29_900)
  t.equal(offer().isLeftEpoch, true)
  rig.sync({ epoch: 'epoch-two-2' })
  rig.advance(29_900)
  t.equal(offer().isLeftEpoch, true, 'offered anew')
  rig.advance(30_000)
  t.equal(offer().isLeftEpoch, false)
  t.equal(rig.instance.epoch, 'epoch-one-1', 'data were restored')
  t.equal(rig.sync({ epoch: 'epoch-two-2' }).isLeftEpoch, true, 'the other one was left, too')
})

t.test('a revoke written to an epoch that was left must be written again', async (t) => {
  const rig = new Rig()
  rig.sync()
  rig.sync({ epoch: 'epoch-two-2' })
  const barrier = rig.instance.revoke([], rig.now)
  rig.instance.onRevoke(barrier, rig.instance.generation, rig.written({ epoch: 'epoch-one-1' }), rig.now)
  t.equal(rig.instance.epoch, 'epoch-two-2')
  t.equal(barrier.state.kind, 'writing')
})
