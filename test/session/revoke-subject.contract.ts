/** A revoke of a subject ends its sessions for good, on every store. */
import type { Test } from 'tap'
import { storeUnavailable } from '../../src/errors.js'
import type { Denylist } from '../../src/revocation/denylist.js'
import { endRecords } from '../../src/session/end-sessions.js'
import { revoke } from '../../src/session/revoke.js'
import type { SessionStore } from '../../src/store/session-store.js'
import { failingOnce } from '../support/failing-denylist.js'
import { issue, judged, outcomeOf, refresh, refreshed, told, MINUTE, SECOND } from '../support/sessions.js'
import type { Instance } from '../support/sessions.js'

export interface RevokeRig extends Instance {
  advance(milliseconds: number): Promise<void>
}

/** Longer than the denylist remembers an entry (the horizon and its grace), and shorter than a session's idle time. */
const FORGOTTEN = 20 * MINUTE

export function revokeSubjectContract(t: Test, open: (t: Test) => Promise<RevokeRig>): void {
  t.test(
    'a revoked subject’s sessions can’t refresh after the denylist has forgotten the entry',
    async (t) => {
      const rig = await open(t)
      const idle = await issue(rig.ports, { sub: 'alice' })
      const used = await issue(rig.ports, { sub: 'alice' })
      const next = await refresh(rig.ports, used.refreshToken)
      const bobs = await issue(rig.ports, { sub: 'bob' })
      await revoke(rig.ports, { sub: 'alice', reason: 'account disabled' })
      await rig.advance(FORGOTTEN)
      for (const { refreshToken } of [idle, used, next])
        t.equal(await refreshed(rig, refreshToken), 'session_ended')
      t.equal(await refreshed(rig, bobs.refreshToken), 'good', 'another subject isn’t affected')
    },
  )

  t.test('one revoke emits one event, and one more for each session that it ends', async (t) => {
    const rig = await open(t)
    const logins = [await issue(rig.ports, { sub: 'alice' }), await issue(rig.ports, { sub: 'alice' })]
    await revoke(rig.ports, { sub: 'alice', reason: 'account disabled' })
    t.match(told(rig, 'revoked'), [{ kind: 'sub', id: 'alice', reason: 'account disabled' }])
    const ended = told(rig, 'session_ended').map((event) => ('sid' in event ? event.sid : ''))
    t.same(ended.toSorted(), logins.map(({ session }) => session.sid as string).toSorted())
    t.match(told(rig, 'session_ended')[0], { sub: 'alice', reason: 'revoked' })
    for (const { accessToken } of logins) t.equal(await judged(rig, accessToken), 'token_revoked')
    t.same(await rig.ports.store.sids('alice'), [])
  })

  t.test('a numeric subject ends the sessions of its decimal text', async (t) => {
    const rig = await open(t)
    const login = await issue(rig.ports, { sub: '42' })
    await revoke(rig.ports, { sub: 42 })
    await rig.advance(FORGOTTEN)
    t.equal(await refreshed(rig, login.refreshToken), 'session_ended')
  })

  t.test('before ends the sessions that began by then, and no later ones', async (t) => {
    const rig = await open(t)
    const old = await issue(rig.ports, { sub: 'alice' })
    const before = Math.floor(rig.ports.clock.now() / 1000)
    await rig.advance(2 * SECOND)
    const young = await issue(rig.ports, { sub: 'alice' })
    await revoke(rig.ports, { sub: 'alice', before })
    t.equal(await judged(rig, young.accessToken), 'good')
    await rig.advance(FORGOTTEN)
    t.equal(await refreshed(rig, old.refreshToken), 'session_ended')
    t.equal(await refreshed(rig, young.refreshToken), 'good')
  })

  t.test('a session that began by before ends with the tokens that it got afterwards', async (t) => {
    const rig = await open(t)
    const login = await issue(rig.ports, { sub: 'alice' })
    const before = Math.floor(rig.ports.clock.now() / 1000)
    await rig.advance(2 * SECOND)
    const next = await refresh(rig.ports, login.refreshToken)
    await revoke(rig.ports, { sub: 'alice', before })
    t.equal(await judged(rig, next.accessToken), 'session_ended')
    t.equal(await refreshed(rig, next.refreshToken), 'session_ended')
  })

  t.test('before covers more sessions than one page of the index has', async (t) => {
    const rig = await open(t)
    const logins = await Promise.all(Array.from({ length: 620 }, () => issue(rig.ports, { sub: 'alice' })))
    const before = Math.floor(rig.ports.clock.now() / 1000)
    await rig.advance(2 * SECOND)
    const young = await issue(rig.ports, { sub: 'alice' })
    await revoke(rig.ports, { sub: 'alice', before })
    t.same(await rig.ports.store.sids('alice'), [young.session.sid])
    t.equal(told(rig, 'session_ended').length, logins.length)
  })

  t.test('before skips a session without a readable record', async (t) => {
    const rig = await open(t)
    const half = await issue(rig.ports, { sub: 'alice' })
    const before = Math.floor(rig.ports.clock.now() / 1000)
    await endRecords(rig.ports, [{ sid: half.session.sid }], 'logout')
    await rig.advance(2 * SECOND)
    await revoke(rig.ports, { sub: 'alice', before })
    t.same(told(rig, 'session_ended'), [])
  })

  t.test('after a revoke that failed between its two writes, its repetition ends the sessions', async (t) => {
    const rig = await open(t)
    const login = await issue(rig.ports, { sub: 'alice' })
    const { store } = rig.ports
    let failures = 0
    const indexed: SessionStore['indexed'] = async (...query) => {
      failures += 1
      if (failures === 1) throw storeUnavailable('the test says so')
      return store.indexed(...query)
    }
    const ports = { ...rig.ports, store: override(store, { indexed }) }
    t.equal(await outcomeOf(() => revoke(ports, { sub: 'alice' })), 'store_unavailable')
    t.equal(await judged(rig, login.accessToken), 'token_revoked')
    t.equal(await outcomeOf(() => revoke(ports, { sub: 'alice' })), 'good')
    await rig.advance(FORGOTTEN)
    t.equal(await refreshed(rig, login.refreshToken), 'session_ended')
  })

  t.test('nothing ends if the entry can’t be written', async (t) => {
    const rig = await open(t)
    const login = await issue(rig.ports, { sub: 'alice' })
    const ports = { ...rig.ports, denylist: failingOnce(rig.ports.denylist) }
    t.equal(await outcomeOf(() => revoke(ports, { sub: 'alice' })), 'store_unavailable')
    t.equal(await refreshed(rig, login.refreshToken), 'good')
  })

  t.test(
    'a login that took its stamp before the revoke, and stored its session after it, is ended',
    async (t) => {
      const rig = await open(t)
      const denylist = revokingMeanwhile(rig)
      const ports = { ...rig.ports, denylist }
      t.equal(await outcomeOf(() => issue(ports, { sub: 'alice' })), 'store_unavailable')
      t.same(told(rig, 'login'), [])
      t.equal(told(rig, 'session_ended').length, 1)
      t.same(await rig.ports.store.sids('alice'), [])
    },
  )
}

/** A denylist that lets a revoke of the subject run to its end between the stamp of a login and its session. */
function revokingMeanwhile(rig: Instance): Denylist {
  const { denylist } = rig.ports
  return override(denylist, {
    stamp: async (sub) => {
      const stamp = await denylist.stamp(sub)
      if (sub) await revoke(rig.ports, { sub })
      return stamp
    },
  })
}

/** The same object but for some methods. */
function override<T extends Denylist | SessionStore>(object: T, methods: Partial<T>): T {
  return new Proxy(object, {
    get(target, name) {
      const own = methods[name as keyof T]
      if (own !== undefined) return own
      const value = target[name as keyof T]
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
