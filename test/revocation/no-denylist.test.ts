import t from 'tap'
import { NoDenylist } from '../../src/revocation/no-denylist.js'
import { MovableClock } from '../support/movable-clock.js'

t.test('a denylist without a store covers nothing, and promises nothing', async (t) => {
  const clock = new MovableClock()
  const denylist = new NoDenylist(clock, 1_000)
  t.equal(denylist.check(), undefined)
  t.equal(denylist.peek(), undefined)
  t.equal(denylist.checkInOutage(), undefined)
  t.equal(denylist.version(), denylist.version())
  t.equal(denylist.latestIssue(), clock.now() + 3_000)
  await t.rejects(denylist.revoke(), { name: 'TypeError', message: /^revoke: store is none/ })
  await t.rejects(denylist.stamp(), { name: 'TypeError', message: /^issue: store is none/ })
})
