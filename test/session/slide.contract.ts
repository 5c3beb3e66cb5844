/** Sliding renewal on every store: a new access token without an exchange, and none for a session that has ended. */
import type { Test } from 'tap'
import { logout, logoutAll } from '../../src/session/logout.js'
import { slide } from '../../src/session/slide.js'
import type { SlidToken, TokenToSlide } from '../../src/session/slide.js'
import { patiently } from './refresh-denied.contract.js'
import type { Deployment } from './refresh-denied.contract.js'
import { claimsOf, issue, judged, refreshed, told } from '../support/sessions.js'
import type { Instance } from '../support/sessions.js'

/** A token as it was admitted, with a minute left. */
export function admitted(accessToken: string): TokenToSlide {
  const { jti, sid, sub, iat, exp } = claimsOf(accessToken)
  return { jti, sid, sub, iat, kid: 'key', exp: exp - 14 * 60 }
}

export const slid = ({ ports }: Instance, accessToken: string): Promise<SlidToken | undefined> =>
  slide(ports, admitted(accessToken))

export function slideContract(t: Test, open: (t: Test) => Promise<Deployment>): void {
  t.test('the new token is of the same session, and nothing else changes', async (t) => {
    const { here, there } = await open(t)
    const login = await issue(here.ports, { sub: 'alice', scope: 'read', claims: { tenant: 'a' } })
    const before = await here.ports.store.read(login.session.sid)
    const next = await slid(there, login.accessToken)
    const [old, claims] = [claimsOf(login.accessToken), claimsOf(next!.accessToken)]
    const { sid, sub } = login.session
    t.match(claims, { sid, sub, scope: 'read', tenant: 'a', auth_time: old.auth_time })
    t.equal(claims.exp, next!.expiresAt)
    t.not(claims.jti, old.jti)
    t.equal(claims.jti.length, old.jti.length)
    for (const one of [here, there]) {
      t.equal(await judged(one, next!.accessToken), 'good')
      t.equal(await judged(one, login.accessToken), 'good', 'the old token is still good')
    }
    t.strictSame(await here.ports.store.read(sid), before, 'the record is unchanged')
    t.same(told(there, 'token_renewed'), [{ event: 'token_renewed', sub, sid }])
    t.equal(await refreshed(here, login.refreshToken), 'good')
  })

  for (const [name, end] of Object.entries({
    logout: ({ ports }, { sid }) => logout(ports, { access: sid }),
    'logout everywhere': ({ ports }, { sub }) => logoutAll(ports, sub),
    'revoke of the session': ({ ports }, { sid }) => ports.denylist.revoke([{ kind: 'sid', id: sid }]),
    'revoke of the subject': ({ ports }, { sub }) => ports.denylist.revoke([{ kind: 'sub', id: sub }]),
    'revoke of everybody': ({ ports }) => ports.denylist.revoke([{ kind: 'all', id: '*' }]),
  } satisfies Record<string, (here: Instance, session: Ended) => Promise<unknown>>)) {
    t.test(`a ${name}: no new token, and none that was issued before is good`, async (t) => {
      const deployment = await open(t)
      const { here, there } = deployment
      const login = await issue(here.ports, { sub: 'alice' })
      const next = await slid(there, login.accessToken)
      await end(here, login.session)
      for (const one of [here, there]) {
        t.not(await judged(one, next!.accessToken), 'good')
        for (const token of [login.accessToken, next!.accessToken])
          t.equal(await patiently(deployment, () => slid(one, token)), undefined)
      }
    })
  }

  t.test('a session that a login on the same device has ended gets no new token', async (t) => {
    const { here, there, pass } = await open(t)
    const perDevice = {
      ...here,
      ports: { ...here.ports, settings: { ...here.ports.settings, perDevice: 1 } },
    }
    const first = await issue(perDevice.ports, { sub: 'alice' }, { device: 'phone' })
    const next = await slid(there, first.accessToken)
    pass()
    const second = await issue(perDevice.ports, { sub: 'alice' }, { device: 'phone' })
    t.equal(await judged(there, next!.accessToken), 'signed_in_elsewhere')
    t.equal(await slid(there, first.accessToken), undefined)
    t.ok(await slid(there, second.accessToken))
  })
}

interface Ended {
  readonly sid: Parameters<Instance['ports']['store']['read']>[0]
  readonly sub: string
}
