/** A revoke of everybody lets no earlier session refresh, on every store. */
import type { Test } from 'tap'
import { revoke } from '../../src/session/revoke.js'
import { storeUnavailable } from '../../src/errors.js'
import { failingOnce } from '../support/failing-denylist.js'
import { issue, refresh, judged, outcomeOf, refreshed, told, MINUTE, SECOND } from '../support/sessions.js'
import type { RevokeRig } from './revoke-subject.contract.js'

/** Longer than the denylist remembers an entry (the horizon and its grace), and shorter than a session's idle time. */
const FORGOTTEN = 20 * MINUTE

export function revokeAllContract(t: Test, open: (t: Test) => Promise<RevokeRig>): void {
  t.test('no session can refresh after the denylist has forgotten the entry', async (t) => {
    const rig = await open(t)
    const idle = await issue(rig.ports, { sub: 'alice' })
    const used = await issue(rig.ports, { sub: 'bob' })
    const next = await refresh(rig.ports, used.refreshToken)
    await revoke(rig.ports, { all: true, reason: 'a leaked key' })
    t.match(told(rig, 'revoked'), [{ kind: 'all', id: '*', reason: 'a leaked key' }])
    await rig.advance(FORGOTTEN)
    for (const { refreshToken } of [idle, next]) t.equal(await refreshed(rig, refreshToken), 'session_ended')
    t.match(told(rig, 'session_ended'), [
      { sid: idle.session.sid, reason: 'revoked' },
      { sid: used.session.sid, reason: 'revoked' },
    ])
  })

  t.test('a retry within the grace of a refresh from before is refused, too', async (t) => {
    const rig = await open(t)
    const login = await issue(rig.ports, { sub: 'alice' })
    await rig.advance(FORGOTTEN)
    await refresh(rig.ports, login.refreshToken)
    // Only the cutoff is left of this revoke.
    await rig.ports.store.setCutoff({ before: rig.ports.clock.now(), now: 0, ttl: MINUTE })
    t.equal(await refreshed(rig, login.refreshToken), 'session_ended')
  })

  t.test('before ends only the sessions that began by then', async (t) => {
    const rig = await open(t)
    const old = await issue(rig.ports, { sub: 'alice' })
    const before = Math.floor(rig.ports.clock.now() / 1000)
    await rig.advance(2 * SECOND)
    const young = await issue(rig.ports, { sub: 'alice' })
    await revoke(rig.ports, { all: true, before })
    await revoke(rig.ports, { all: true, before: before - 60 })
    t.equal(await judged(rig, young.accessToken), 'good')
    await rig.advance(FORGOTTEN)
    t.equal(
      await refreshed(rig, old.refreshToken),
      'session_ended',
      'an earlier cutoff replaces no later one',
    )
    t.equal(await refreshed(rig, young.refreshToken), 'good')
  })

  t.test('a revoke whose cutoff or entry can’t be written fails, and its repetition succeeds', async (t) => {
    const rig = await open(t)
    const login = await issue(rig.ports, { sub: 'alice' })
    const denylist = failingOnce(rig.ports.denylist)
    t.equal(await outcomeOf(() => revoke({ ...rig.ports, denylist }, { all: true })), 'store_unavailable')
    const setCutoff = async () => {
      throw storeUnavailable('the test says so')
    }
    const store = Object.assign(Object.create(rig.ports.store) as typeof rig.ports.store, { setCutoff })
    t.equal(await outcomeOf(() => revoke({ ...rig.ports, store }, { all: true })), 'store_unavailable')
    t.same(told(rig, 'revoked'), [])
    t.equal(await outcomeOf(() => revoke({ ...rig.ports, denylist }, { all: true })), 'good')
    t.equal(await judged(rig, login.accessToken), 'token_revoked')
  })
}
