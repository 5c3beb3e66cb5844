/** An end that failed between its two steps: whoever ends all sessions afterwards ends that one, too. */
import type { Test } from 'tap'
import { endRecords, endSessions } from '../../src/session/end-sessions.js'
import type { DualTokens } from '../support/sessions.js'
import { logout, logoutAll } from '../../src/session/logout.js'
import { failingOnce } from '../support/failing-denylist.js'
import { judged, outcomeOf, refreshed, issue, refresh } from '../support/sessions.js'
import type { Instance } from '../support/sessions.js'

/** Two processes on one store; the second may be the first. */
export type OpenTwo = (t: Test) => Promise<readonly [Instance, Instance]>

/** Ways to end a session, each of which fails at its second step. */
const ENDS: Record<string, (ports: Instance['ports'], login: DualTokens) => Promise<unknown>> = {
  'a logout': (ports, { session }) => logout(ports, { access: session.sid }),
  'a revoke by sid': (ports, { session }) => endSessions(ports, [{ sid: session.sid }], 'revoked', 'note'),
  'the end of a reused session': async (ports, { refreshToken }) => {
    const next = await refresh(ports, refreshToken)
    await refresh(ports, next.refreshToken)
    return refresh(ports, refreshToken)
  },
  'an eviction': (ports, { session }) =>
    issue({ ...ports, settings: { ...ports.settings, perSubject: 1 } }, { sub: session.sub }),
}

export function halfEndedContract(t: Test, open: OpenTwo): void {
  for (const [name, fail] of Object.entries(ENDS)) {
    t.test(`“everywhere” ends the session of ${name} whose end failed halfway`, async (t) => {
      const [one, two] = await open(t)
      const half = await issue(one.ports, { sub: 'alice' })
      const denylist = failingOnce(one.ports.denylist)
      t.equal(await outcomeOf(() => fail({ ...one.ports, denylist }, half)), 'store_unavailable')
      t.equal(denylist.failures, 1)
      t.equal(await judged(two, half.accessToken), 'good', 'the fault took place')
      const own = await issue(two.ports, { sub: 'alice' })
      await logoutAll(two.ports, 'alice', { own: own.session.sid })
      for (const { accessToken } of [half, own]) {
        t.equal(await judged(one, accessToken), 'session_ended')
        t.equal(await judged(two, accessToken), 'session_ended')
      }
      t.same(await two.ports.store.sids('alice'), [])
    })
  }

  t.test(
    '“everywhere” except the current session ends one whose process died between the two steps',
    async (t) => {
      const [one, two] = await open(t)
      const half = await issue(one.ports, { sub: 'alice' })
      t.match(await endRecords(one.ports, [{ sid: half.session.sid }], 'logout'), [{ kind: 'ended' }])
      t.equal(await judged(two, half.accessToken), 'good')
      const here = await issue(two.ports, { sub: 'alice' })
      await logoutAll(two.ports, 'alice', { except: here.session.sid })
      t.equal(await judged(one, half.accessToken), 'session_ended')
      t.equal(await judged(one, here.accessToken), 'good')
      t.equal(await refreshed(one, here.refreshToken), 'good')
      t.same(await two.ports.store.sids('alice'), [here.session.sid])
    },
  )

  t.test(
    'after “everywhere” fails, the caller’s token still works for a retry, which ends the rest',
    async (t) => {
      const [one, two] = await open(t)
      const own = await issue(one.ports, { sub: 'alice' })
      const other = await issue(one.ports, { sub: 'alice' })
      const denylist = failingOnce(one.ports.denylist)
      const all = (ports: Instance['ports']) => logoutAll(ports, 'alice', { own: own.session.sid })
      t.equal(await outcomeOf(() => all({ ...one.ports, denylist })), 'store_unavailable')
      t.equal(await judged(one, own.accessToken), 'good')
      t.equal(await outcomeOf(() => all({ ...one.ports, denylist })), 'good')
      for (const { accessToken } of [own, other]) t.equal(await judged(two, accessToken), 'session_ended')
    },
  )

  t.test('the caller’s own session ends even if its record and its index entry are lost', async (t) => {
    const [one, two] = await open(t)
    const own = await issue(one.ports, { sub: 'alice' })
    await one.ports.store.unindex('alice', [own.session.sid])
    await logoutAll(two.ports, 'alice', { own: own.session.sid })
    t.equal(await judged(one, own.accessToken), 'session_ended')
    t.equal(await refreshed(one, own.refreshToken), 'session_ended')
  })

  t.test(
    'a login over the limit finishes sessions that ended halfway, and evicts no other session for them',
    async (t) => {
      const [one, two] = await open(t)
      const limited = { ...two.ports, settings: { ...two.ports.settings, perSubject: 2 } }
      const half = await issue(one.ports, { sub: 'alice' })
      const other = await issue(one.ports, { sub: 'alice' })
      await endRecords(one.ports, [{ sid: half.session.sid }], 'logout')
      t.equal(await judged(two, half.accessToken), 'good')
      const third = await issue(limited, { sub: 'alice' })
      t.equal(await judged(one, half.accessToken), 'session_ended')
      for (const { accessToken } of [other, third]) t.equal(await judged(one, accessToken), 'good')
      t.equal(await one.ports.store.count('alice'), 2)
    },
  )

  t.test('a successful end leaves nothing in the index', async (t) => {
    const [one, two] = await open(t)
    const login = await issue(one.ports, { sub: 'alice' })
    await logout(one.ports, { access: login.session.sid })
    t.same(await two.ports.store.sids('alice'), [])
  })
}
