import t from 'tap'
import type { Denylist } from '../../src/revocation/denylist.js'
import { issue as issueTokens } from '../../src/session/issue.js'
import { RefreshChecks } from '../../src/session/refresh-check.js'
import type { RefreshCheck } from '../../src/session/refresh-check.js'
import { renew } from '../../src/session/refresh.js'
import { slide } from '../../src/session/slide.js'
import { admitted, slid, slideContract } from './slide.contract.js'
import {
  HOUR,
  MINUTE,
  SECOND,
  claimsOf,
  embedded,
  issue,
  judged,
  outcomeOf,
  refreshed,
  told,
} from '../support/sessions.js'
import type { MemoryRig } from '../support/sessions.js'

slideContract(t, async () => {
  const rig = embedded()
  return { here: rig, there: rig, pass: () => rig.clock.advance(SECOND) }
})

t.test('a session past its end gets no new token, nor one whose token could not live longer', async (t) => {
  const rig = embedded()
  const { accessToken } = await issue(rig.ports, { sub: 'alice' })
  const token = admitted(accessToken)
  rig.clock.advance(HOUR - 10 * MINUTE)
  const next = await slide(rig.ports, token)
  t.equal(
    claimsOf(next!.accessToken).exp,
    Math.floor(rig.clock.now() / 1000) + 10 * 60,
    'the session ends first',
  )
  t.equal(await slide(rig.ports, { ...token, exp: next!.expiresAt }), undefined)
  rig.clock.advance(10 * MINUTE)
  t.equal(await slide(rig.ports, token), undefined)
})

t.test('tokens.refresh counts from the last refresh, not from a sliding renewal', async (t) => {
  const rig = embedded()
  const login = await issue(rig.ports, { sub: 'alice' })
  let { accessToken } = login
  for (let passed = 0; passed < HOUR; passed += 12 * MINUTE) {
    const next = await slid(rig, accessToken)
    t.ok(next, `after ${passed / MINUTE} min`)
    accessToken = next!.accessToken
    rig.clock.advance(12 * MINUTE)
  }
  t.equal(await slid(rig, accessToken), undefined)
  t.equal(await refreshed(rig, login.refreshToken), 'refresh_token_expired')
})

t.test('the lifetime of the session’s own access tokens is kept', async (t) => {
  const rig = embedded()
  const login = await issue(rig.ports, { sub: 'alice' }, {}, { access: 2 * MINUTE })
  const next = await slide(rig.ports, admitted(login.accessToken))
  const { exp, iat } = claimsOf(next!.accessToken)
  t.equal(exp - iat, 120)
})

t.test('the iat isn’t before the login, whose instance may have a clock ahead of this one', async (t) => {
  const rig = embedded()
  const login = await issue(rig.ports, { sub: 'alice' })
  rig.clock.advance(-2 * SECOND)
  const next = await slid(rig, login.accessToken)
  t.equal(claimsOf(next!.accessToken).iat, claimsOf(login.accessToken).iat)
})

function withDenylist(rig: MemoryRig, changed: Partial<Denylist>): MemoryRig {
  const { denylist } = rig.ports
  const all: Denylist = {
    check: (token) => denylist.check(token),
    checkInOutage: () => undefined,
    peek: (token) => denylist.peek(token),
    version: () => undefined,
    revoke: (entries) => denylist.revoke(entries),
    stamp: (sub) => denylist.stamp(sub),
    latestIssue: () => denylist.latestIssue(),
    trusts: () => true,
    ...changed,
  }
  return { ...rig, ports: { ...rig.ports, denylist: all } }
}

t.test('an untrusted record gives no new token, and the session isn’t ended', async (t) => {
  const rig = embedded()
  const login = await issue(rig.ports, { sub: 'alice' })
  t.equal(await slid(withDenylist(rig, { trusts: () => false }), login.accessToken), undefined)
  t.equal(await judged(rig, login.accessToken), 'good')
})

t.test('a new epoch during the renewal is an outage, so that a later request tries again', async (t) => {
  const rig = embedded()
  const login = await issue(rig.ports, { sub: 'alice' })
  const inNewEpoch = withDenylist(rig, { check: () => 'history' })
  t.equal(await outcomeOf(() => slid(inNewEpoch, login.accessToken)), 'store_unavailable')
})

t.test(
  'the stamp is taken before the session is read, so a logout in between covers the token',
  async (t) => {
    const rig = embedded()
    const login = await issue(rig.ports, { sub: 'alice' })
    const order: string[] = []
    const { denylist, store } = rig.ports
    const read: typeof store.read = async (sid) => {
      order.push('read')
      return store.read(sid)
    }
    const stamp: Denylist['stamp'] = async (sub) => {
      order.push('stamp')
      return denylist.stamp(sub)
    }
    const watched = withDenylist(rig, { stamp })
    await slide(
      { ...watched.ports, store: Object.assign(Object.create(store) as typeof store, { read }) },
      admitted(login.accessToken),
    )
    t.same(order, ['stamp', 'read'])
  },
)

t.test('claims that make the new token too long are an error', async (t) => {
  const rig = embedded()
  const { accessToken } = await issue(rig.ports, { sub: 'alice' })
  const refreshChecks = new RefreshChecks(async () => ({ claims: { long: 'x'.repeat(9_000) } }))
  await t.rejects(slide({ ...rig.ports, refreshChecks }, admitted(accessToken)), {
    name: 'TypeError',
    message: /claims are too large/,
  })
})

t.test('the user is read again', async (t) => {
  const open = async (check: RefreshCheck) => {
    const rig = embedded()
    const login = await issue(rig.ports, { sub: 'alice', scope: 'read write' })
    return { login, rig: { ...rig, ports: { ...rig.ports, refreshChecks: new RefreshChecks(check) } } }
  }
  t.test('its scope and claims are those of the new token only', async (t) => {
    const { rig, login } = await open(async () => ({ scope: 'read', claims: { role: 'reader' } }))
    const next = await slid(rig, login.accessToken)
    t.match(claimsOf(next!.accessToken), { scope: 'read', role: 'reader' })
    t.match(await rig.ports.store.read(login.session.sid), { scope: 'read write', claims: {} })
  })
  t.test('null ends the session', async (t) => {
    const { rig, login } = await open(async () => null)
    t.equal(await slid(rig, login.accessToken), undefined)
    t.equal(await judged(rig, login.accessToken), 'session_ended')
    t.match(told(rig, 'session_ended'), [{ sub: 'alice', reason: 'revoked' }])
  })
  t.test('an error changes nothing', async (t) => {
    const { rig, login } = await open(async () => {
      throw new Error('the database is down')
    })
    t.equal(await outcomeOf(() => slid(rig, login.accessToken)), 'store_unavailable')
    t.equal(await judged(rig, login.accessToken), 'good')
  })
})

t.test('in the single scheme', async (t) => {
  const open = async () => {
    const rig = embedded({ scheme: 'single' })
    return { rig, login: await issueTokens(rig.ports, { sub: 'alice' }) }
  }
  const renewed = async ({ ports }: MemoryRig, accessToken: string) => {
    const tokens = await renew(ports, admitted(accessToken))
    return tokens.accessToken
  }
  t.test('a slid token is renewed as the presented one, and both get the same successor', async (t) => {
    const { rig, login } = await open()
    const first = (await slid(rig, login.accessToken))!.accessToken
    const second = (await slid(rig, first))!.accessToken
    t.equal(new Set([login.accessToken, first, second].map((one) => claimsOf(one).jti)).size, 3)
    const successor = await renewed(rig, second)
    for (const token of [login.accessToken, first]) {
      t.strictSame(claimsOf(await renewed(rig, token)), claimsOf(successor), 'a retry within the grace')
    }
    t.equal(await judged(rig, second), 'good')
    rig.clock.advance(MINUTE)
    t.equal(await outcomeOf(() => renewed(rig, first)), 'refresh_token_reused', 'after the grace')
  })
  t.test('only the newest token slides, because an earlier one would count as stolen', async (t) => {
    const { rig, login } = await open()
    const successor = await renewed(rig, login.accessToken)
    t.equal(await slid(rig, login.accessToken), undefined)
    t.equal(await outcomeOf(async () => renewed(rig, (await slid(rig, successor))!.accessToken)), 'good')
  })
})
