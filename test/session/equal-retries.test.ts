/** A retried refresh issues an equal access token: the client may use either. */
import t from 'tap'
import type { Denylist } from '../../src/revocation/denylist.js'
import { claimsOf, embedded, issue, judged, refresh, refreshed, MINUTE, SECOND } from '../support/sessions.js'

t.test('a retry issues an access token with equal claims', async (t) => {
  const rig = embedded()
  const login = await issue(rig.ports, { sub: 'alice', claims: { role: 'editor' } })
  rig.clock.advance(MINUTE)
  const first = await refresh(rig.ports, login.refreshToken)
  rig.clock.advance(9 * SECOND)
  const again = await refresh(rig.ports, login.refreshToken)
  t.strictSame(claimsOf(again.accessToken), claimsOf(first.accessToken))
  t.equal(again.refreshToken, first.refreshToken)
  t.equal(again.expiresIn, first.expiresIn - 9, 'what is left of it')
})

t.test('a retry in another epoch issues a token of that epoch', async (t) => {
  const rig = embedded()
  const login = await issue(rig.ports, { sub: 'alice' })
  const first = await refresh(rig.ports, login.refreshToken)
  const { denylist } = rig.ports
  const later = Object.assign(Object.create(denylist) as Denylist, {
    stamp: async () => ({ ...(await denylist.stamp()), jtiPrefix: 'LATER---' }),
    check: () => undefined,
    trusts: () => true,
  })
  const again = await refresh({ ...rig.ports, denylist: later }, login.refreshToken)
  t.match(claimsOf(again.accessToken).jti, /^LATER---/)
  t.equal(claimsOf(again.accessToken).jti.slice(8), claimsOf(first.accessToken).jti.slice(8))
  t.equal(again.refreshToken, first.refreshToken)
})

t.test('tokens of consecutive refreshes differ', async (t) => {
  const rig = embedded()
  const login = await issue(rig.ports, { sub: 'alice' })
  const second = await refresh(rig.ports, login.refreshToken)
  const third = await refresh(rig.ports, second.refreshToken)
  const jtis = [login, second, third].map(({ accessToken }) => claimsOf(accessToken).jti)
  t.equal(new Set(jtis).size, 3)
  for (const { accessToken } of [login, second, third]) t.equal(await judged(rig, accessToken), 'good')
})

t.test('lives of a session’s own apply at each refresh', async (t) => {
  const rig = embedded()
  const login = await issue(rig.ports, { sub: 'alice' }, {}, { access: 5 * MINUTE, idle: 20 * MINUTE })
  t.equal(login.expiresIn, 300)
  t.equal(login.sessionExpiresIn, 1_200)
  rig.clock.advance(15 * MINUTE)
  const next = await refresh(rig.ports, login.refreshToken)
  t.equal(next.expiresIn, 300)
  t.equal(next.sessionExpiresIn, 1_200)
  rig.clock.advance(20 * MINUTE)
  t.equal(await refreshed(rig, next.refreshToken), 'refresh_token_expired')
})

t.test('with jitter, access tokens live up to that part shorter, and retries equally long', async (t) => {
  const rig = embedded({ jitter: 0.25 })
  const lives = new Set<number>()
  for (let i = 0; i < 50; i += 1) {
    const login = await issue(rig.ports, { sub: 'alice' })
    const first = await refresh(rig.ports, login.refreshToken)
    const again = await refresh(rig.ports, login.refreshToken)
    t.equal(claimsOf(again.accessToken).exp, claimsOf(first.accessToken).exp)
    lives.add(first.expiresIn)
  }
  t.ok([...lives].every((life) => life > 674 && life <= 900))
  t.ok(lives.size > 20, 'they differ')
})
