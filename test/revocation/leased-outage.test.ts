/** What routes that opted for it get while there is no lease. */
import t from 'tap'
import { START } from '../../src/revocation/entry.js'
import { SyncLoop } from '../../src/revocation/replica/sync-loop.js'
import { Instance } from '../../src/revocation/replica/instance.js'
import { LeasedDenylist } from '../../src/revocation/leased-denylist.js'
import type { RevocationLog } from '../../src/revocation/replica/revocation-log.js'
import type { RevocableToken } from '../../src/revocation/denylist.js'
import { LOG_SETTINGS } from '../support/open-denylist.js'

const NOW = 1_800_000_000_000
const { lease } = LOG_SETTINGS
const never = () => new Promise<never>(() => {})

/** An instance that was leased once, knows one entry, and hears of nothing more. */
function open() {
  let now = { monotonic: 0, wall: NOW }
  const instance = new Instance({ ...LOG_SETTINGS, id: 'a', onLostHistory: 'heal', page: 10 })
  const log: RevocationLog = { sync: never, revoke: never, publish: never, deny: never, leave: never }
  const bell = { ring: never, close: () => {} }
  const parts = { instance, log, lease, now: () => now }
  const syncLoop = new SyncLoop({ ...parts, bell, endSessions: async () => {}, onSync: () => {} })
  const replica = new LeasedDenylist({
    ...parts,
    syncLoop,
    horizon: 0,
    grace: 0,
    onLostHistory: 'heal',
    onBarrier: () => {},
  })
  const learn = () => {
    const reply = {
      epoch: 'EPOCHONE1234',
      settled: true,
      since: NOW,
      epochPrefixes: ['EPOCHONE'],
      time: NOW,
      entries: [{ kind: 'sid', id: 'ended', before: 0, until: NOW + 900_000 } as const],
      last: START,
      more: false,
      members: [],
      waitOk: true,
    }
    return instance.onSync(instance.sync(now), reply, now).granted
  }
  const pass = (milliseconds: number) => {
    now = { monotonic: now.monotonic + milliseconds, wall: now.wall + milliseconds }
  }
  return { replica, learn, pass, leaseLeft: () => instance.leaseLeft(now) }
}

const iat = NOW / 1000
const token = (about: Partial<RevocableToken> = {}): RevocableToken => ({
  jti: 'EPOCHONE1',
  sid: 's',
  sub: 'u',
  kid: 'k',
  iat,
  ...about,
})

t.test('stale: the replica decides for a limited time; closed: nothing is admitted', async (t) => {
  const { replica, learn, pass, leaseLeft } = open()
  const stale = { stale: 30_000 }
  t.equal(replica.checkInOutage(token(), stale), undefined, 'there never was a lease')
  t.ok(learn())
  pass(lease + 29_999)
  t.equal(leaseLeft(), -29_999, 'the lease is over')
  t.strictSame(replica.checkInOutage(token(), stale), { reason: undefined, outage: 'stale' })
  t.strictSame(replica.checkInOutage(token({ sid: 'ended' }), stale), { reason: 'sid', outage: 'stale' })
  const unknown = token({ jti: 'ANOTHER-1' })
  t.strictSame(replica.checkInOutage(unknown, stale), { reason: 'history', outage: 'stale' })
  t.equal(replica.checkInOutage(token(), 'closed'), undefined)
  pass(1)
  t.equal(replica.checkInOutage(token(), stale), undefined)
  t.equal(replica.checkInOutage(token({ sid: 'ended' }), stale), undefined)
})

t.test('open: every token is admitted unless the replica has an entry for it', async (t) => {
  const { replica, learn, pass } = open()
  t.strictSame(replica.checkInOutage(token(), 'open'), { reason: undefined, outage: 'open' })
  learn()
  pass(lease + 600_000)
  for (const jti of ['EPOCHONE1', 'ANOTHER-1']) {
    t.strictSame(replica.checkInOutage(token({ jti }), 'open'), { reason: undefined, outage: 'open' })
    const ended = token({ jti, sid: 'ended' })
    t.strictSame(replica.checkInOutage(ended, 'open'), { reason: 'sid', outage: 'open' }, jti)
  }
})
