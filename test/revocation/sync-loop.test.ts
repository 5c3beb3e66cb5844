import t from 'tap'
import { SyncLoop } from '../../src/revocation/replica/sync-loop.js'
import type { RevocationLog } from '../../src/revocation/replica/revocation-log.js'
import { soon } from '../support/gateway-process.js'
import { Rig } from '../support/replica-instance.js'

const countTimers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length

t.test('a loop that stops while the bell waits for a sync leaves no timer of a lease', async (t) => {
  const rig = new Rig()
  const unused = () => Promise.reject(new Error('not used'))
  let fail: ((error: Error) => void) | undefined
  const log: RevocationLog = {
    sync: () => new Promise((_, reject) => (fail = reject)),
    revoke: unused,
    leave: () => Promise.resolve(),
    publish: unused,
    deny: unused,
  }
  let ring: ((rang: boolean) => void) | undefined
  let isClosed = false
  const syncLoop = new SyncLoop({
    instance: rig.instance,
    log,
    bell: {
      ring: () => (isClosed ? Promise.resolve(false) : new Promise((resolve) => (ring = resolve))),
      close: () => (isClosed = true),
    },
    // Longer than the test may take, so that a timer that was left can't have ended by itself.
    lease: 600_000,
    now: () => rig.now,
    endSessions: async () => {},
    onSync: () => {},
  })
  const before = countTimers()
  syncLoop.start()
  await soon('a sync is in progress, and the bell waits', () => fail && ring)
  ring!(true)
  await soon('the bell waits for the sync', () => countTimers() > before)
  const stopped = syncLoop.stop()
  fail!(new Error('the connection was closed'))
  await stopped
  await soon('no timer is left', () => countTimers() <= before, 5_000)
  t.pass('no timer is left')
})
