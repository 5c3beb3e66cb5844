/** What a revoke of more than one session means for refreshes, on every denylist. */
import type { Test } from 'tap'
import { EVICTED } from '../../src/revocation/entry.js'
import type { NewEntry } from '../../src/revocation/entry.js'
import type { DualTokens } from '../support/sessions.js'
import { claimsOf, judged, refreshed, told, issue, refresh } from '../support/sessions.js'
import { living } from '../support/session-store.js'
import type { Instance } from '../support/sessions.js'

export interface Deployment {
  /** Where the revokes come from. */
  readonly here: Instance
  /** Another process, or the same where there is only one. */
  readonly there: Instance
  /** Lets a second pass, where time doesn't by itself. */
  readonly pass: () => void
}

/** Lets time pass meanwhile. */
export async function patiently<T>({ pass }: Deployment, work: () => Promise<T>): Promise<T> {
  const timer = setInterval(pass, 50)
  try {
    return await work()
  } finally {
    clearInterval(timer)
  }
}

export function refreshDeniedContract(t: Test, open: (t: Test) => Promise<Deployment>): void {
  t.test('a session whose record came back after its eviction is signed in elsewhere', async (t) => {
    const { here } = await open(t)
    const login = await issue(here.ports, { sub: 'alice' })
    // The record is still there, as after a loss of the tombstone.
    await here.ports.denylist.revoke([{ kind: 'sid', id: login.session.sid, before: EVICTED }])
    t.equal(await refreshed(here, login.refreshToken), 'signed_in_elsewhere')
    t.equal(await refreshed(here, login.refreshToken), 'signed_in_elsewhere', 'by its tombstone')
  })

  for (const kind of ['sub', 'all'] as const) {
    const entry: NewEntry = kind === 'sub' ? { kind, id: 'alice' } : { kind, id: '*' }

    t.test(`${kind}: a session that began before can’t refresh, and is ended`, async (t) => {
      const deployment = await open(t)
      const { here, there } = deployment
      const login = await issue(there.ports, { sub: 'alice' })
      const bobs = await issue(there.ports, { sub: 'bob' })
      const next = await refresh(there.ports, login.refreshToken)
      await here.ports.denylist.revoke([entry])
      t.equal(await judged(there, next.accessToken), 'token_revoked')
      t.equal(await patiently(deployment, () => refreshed(there, next.refreshToken)), 'session_ended')
      t.match(told(there, 'session_ended'), [{ sid: login.session.sid, sub: 'alice', reason: 'revoked' }])
      t.same(await living(here.ports.store, 'alice', here.ports.clock.now()), [])
      for (const { refreshToken, accessToken } of [login, next]) {
        t.equal(await judged(here, accessToken), 'session_ended')
        t.equal(await patiently(deployment, () => refreshed(here, refreshToken)), 'session_ended')
      }
      const expected = kind === 'sub' ? 'good' : 'session_ended'
      t.equal(await patiently(deployment, () => refreshed(there, bobs.refreshToken)), expected)
    })

    t.test(`${kind}: a retry within the grace doesn’t bypass it`, async (t) => {
      const deployment = await open(t)
      const { here, there } = deployment
      const login = await issue(there.ports, { sub: 'alice' })
      await refresh(there.ports, login.refreshToken)
      await here.ports.denylist.revoke([entry])
      t.equal(await patiently(deployment, () => refreshed(there, login.refreshToken)), 'session_ended')
      t.same(await living(here.ports.store, 'alice', here.ports.clock.now()), [])
    })

    t.test(`${kind}: a login afterwards waits no longer than 3 s and stays active`, async (t) => {
      const deployment = await open(t)
      const { here, there } = deployment
      await here.ports.denylist.revoke([entry])
      const begunAt = performance.now()
      const login = await patiently(deployment, () => issue(there.ports, { sub: 'alice' }))
      const took = performance.now() - begunAt
      t.ok(took < 3_500, `${Math.round(took)} ms`)
      t.equal(await judged(here, login.accessToken), 'good')
      const next = await refresh(here.ports, login.refreshToken)
      t.equal(await judged(there, next.accessToken), 'good')
    })

    t.test(`${kind}: a session that began after before refreshes`, async (t) => {
      const { here, there } = await open(t)
      const login = await issue(there.ports, { sub: 'alice' })
      const before = claimsOf(login.accessToken).iat * 1000 - 1
      await here.ports.denylist.revoke([{ ...entry, before }])
      t.equal(await judged(there, login.accessToken), 'good')
      t.equal(await refreshed(there, login.refreshToken), 'good')
    })
  }

  t.test('a jti entry ends that token only, not its session', async (t) => {
    const { here, there } = await open(t)
    const login: DualTokens = await issue(there.ports, { sub: 'alice' })
    const next = await refresh(there.ports, login.refreshToken)
    const { jti, exp } = claimsOf(login.accessToken)
    await here.ports.denylist.revoke([{ kind: 'jti', id: jti, until: exp * 1000 }])
    t.equal(await judged(there, login.accessToken), 'token_revoked')
    t.equal(await judged(there, next.accessToken), 'good')
    const last = await refresh(there.ports, next.refreshToken)
    t.equal(await judged(here, last.accessToken), 'good')
    t.same([...told(here, 'session_ended'), ...told(there, 'session_ended')], [])
  })
}
