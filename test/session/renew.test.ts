/** The single scheme: the newest access token of a session is exchanged for the next one, expired or not. */
import t from 'tap'
import { issue } from '../../src/session/issue.js'
import type { TokenSet } from '../../src/session/issue.js'
import { logout } from '../../src/session/logout.js'
import { refresh, renew } from '../../src/session/refresh.js'
import { revoke } from '../../src/session/revoke.js'
import {
  claimsOf,
  embedded,
  judged,
  outcomeOf,
  told,
  HOUR,
  MINUTE,
  SECOND,
  toRevocable,
} from '../support/sessions.js'
import type { Instance } from '../support/sessions.js'

const SINGLE = { scheme: 'single', absolute: 72 * HOUR, refresh: 0, refreshLimit: 50 } as const

const renewed = ({ ports }: Instance, tokens: TokenSet) => outcomeOf(() => renew(ports, toRevocable(tokens)))

t.test('a login has no refresh token, and says when its session ends', async (t) => {
  const rig = embedded(SINGLE)
  const login = await issue(rig.ports, { sub: 'alice' })
  t.equal(login.refreshToken, undefined)
  t.equal(login.sessionExpiresIn, 72 * 3600)
  t.equal(await judged(rig, login.accessToken), 'good')
})

t.test('an expired token is renewed, and the next one is admitted', async (t) => {
  const rig = embedded(SINGLE)
  const login = await issue(rig.ports, { sub: 'alice', scope: 'read', claims: { team: 'a' } })
  rig.clock.advance(2 * HOUR)
  t.equal(await judged(rig, login.accessToken), 'token_expired')
  const next = await renew(rig.ports, toRevocable(login))
  t.equal(await judged(rig, next.accessToken), 'good')
  t.match(claimsOf(next.accessToken), { sid: login.session.sid, scope: 'read', team: 'a' })
  t.equal(next.sessionExpiresIn, 70 * 3600)
})

t.test('within the grace the predecessor gets an equal token, and emits that it is a retry', async (t) => {
  const rig = embedded(SINGLE)
  const login = await issue(rig.ports, { sub: 'alice' })
  const first = await renew(rig.ports, toRevocable(login))
  rig.clock.advance(9 * SECOND)
  const again = await renew(rig.ports, toRevocable(login))
  t.strictSame(claimsOf(again.accessToken), claimsOf(first.accessToken))
  t.equal(told(rig, 'refresh').length, 1)
  t.equal(told(rig, 'refresh_retried').length, 1)
  t.equal(told(rig, 'refresh_token_reused').length, 0)
})

t.test('an older token is reuse: the session ends, and its newest token too', async (t) => {
  const rig = embedded(SINGLE)
  const login = await issue(rig.ports, { sub: 'alice' })
  const next = await renew(rig.ports, toRevocable(login))
  rig.clock.advance(10 * SECOND)
  t.equal(await renewed(rig, login), 'refresh_token_reused')
  t.equal(await judged(rig, next.accessToken), 'session_ended')
  t.equal(await renewed(rig, next), 'session_ended')
})

t.test('a session has 50 renewals, and the 51st is refused', async (t) => {
  const rig = embedded(SINGLE)
  let tokens = await issue(rig.ports, { sub: 'alice' })
  for (let i = 0; i < 50; i += 1) {
    rig.clock.advance(15 * MINUTE)
    tokens = await renew(rig.ports, toRevocable(tokens))
  }
  t.equal(await renewed(rig, tokens), 'refresh_limit_reached')
})

t.test('72 hours after the login a new login is needed', async (t) => {
  const rig = embedded(SINGLE)
  const login = await issue(rig.ports, { sub: 'alice' })
  rig.clock.advance(72 * HOUR - 1)
  const next = await renew(rig.ports, toRevocable(login))
  rig.clock.advance(1)
  t.equal(await renewed(rig, next), 'reauthentication_required')
})

t.test('a token of an ended session can’t be renewed', async (t) => {
  const rig = embedded(SINGLE)
  const login = await issue(rig.ports, { sub: 'alice' })
  await logout(rig.ports, { access: login.session.sid })
  t.equal(await renewed(rig, login), 'session_ended')
})

t.test('a revoked token can’t be renewed', async (t) => {
  const rig = embedded(SINGLE)
  const login = await issue(rig.ports, { sub: 'alice' })
  const { jti, exp } = claimsOf(login.accessToken)
  await revoke(rig.ports, { jti, expiresAt: exp })
  t.equal(await renewed(rig, login), 'token_revoked')
})

t.test('a revoked token can’t be renewed after the denylist has forgotten it', async (t) => {
  const rig = embedded(SINGLE)
  const login = await issue(rig.ports, { sub: 'alice' })
  const { jti, exp } = claimsOf(login.accessToken)
  await revoke(rig.ports, { jti, expiresAt: exp })
  rig.clock.advance(2 * HOUR)
  t.equal(rig.ports.denylist.check(toRevocable(login)), undefined, 'it is forgotten')
  t.equal(await renewed(rig, login), 'token_revoked')
  const other = await issue(rig.ports, { sub: 'alice' })
  t.equal(await renewed(rig, other), 'good')
})

t.test('a token of the dual scheme can’t be renewed, and changes nothing', async (t) => {
  const dual = embedded()
  const login = await issue(dual.ports, { sub: 'alice' })
  const single = { ...dual, ports: { ...dual.ports, settings: { ...dual.ports.settings, ...SINGLE } } }
  t.equal(await renewed(single, login), 'refresh_token_invalid')
  t.equal(await outcomeOf(() => refresh(dual.ports, login.refreshToken!)), 'good')
})

t.test('a refresh token of the dual scheme is invalid in the single scheme', async (t) => {
  const dual = embedded()
  const login = await issue(dual.ports, { sub: 'alice' })
  const settings = { ...dual.ports.settings, ...SINGLE }
  t.equal(
    await outcomeOf(() => refresh({ ...dual.ports, settings }, login.refreshToken!)),
    'refresh_token_invalid',
  )
})
