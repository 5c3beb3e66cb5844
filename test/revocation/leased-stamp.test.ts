/** The stamps of new tokens, while the clock of an instance is wrong for a moment. */
import t from 'tap'
import { START } from '../../src/revocation/entry.js'
import { LeasedDenylist } from '../../src/revocation/leased-denylist.js'
import { Instance } from '../../src/revocation/replica/instance.js'
import { LOG_SETTINGS } from '../support/open-denylist.js'

const NOW = 1_800_000_000_000
const TWENTY_MINUTES = 20 * 60_000

t.test('a stamp that waited for a lease takes the time after the wait', async (t) => {
  let now = { monotonic: 0, wall: NOW }
  const instance = new Instance({ ...LOG_SETTINGS, id: 'a', onLostHistory: 'heal', page: 10 })
  const learn = () => {
    const reply = {
      epoch: 'EPOCHONE1234',
      settled: true,
      since: NOW,
      epochPrefixes: ['EPOCHONE'],
      time: now.wall,
      entries: [],
      last: START,
      more: false,
      members: [],
      waitOk: true,
    }
    return instance.onSync(instance.sync(now), reply, now).granted
  }
  learn()
  t.ok(learn(), 'leased')
  now = { monotonic: 10, wall: NOW + TWENTY_MINUTES }
  t.notOk(instance.isLeased(now), 'a clock that is ahead ends the lease')
  const waits = { count: 0 }
  const denylist = new LeasedDenylist({
    instance,
    syncLoop: {
      ask: () => {},
      hurry: () => {},
      async nextSync() {
        waits.count += 1
        now = { monotonic: 20, wall: NOW + 20 }
        t.ok(learn())
      },
    },
    log: { revoke: () => Promise.reject(new Error('not asked for')) },
    lease: LOG_SETTINGS.lease,
    horizon: 0,
    grace: 0,
    onLostHistory: 'heal',
    now: () => now,
    onBarrier: () => {},
  })
  t.match(await denylist.stamp('alice'), { issuedAt: NOW / 1000, jtiPrefix: 'EPOCHONE' })
  t.equal(waits.count, 1)
})
