import t from 'tap'
import type { Denylist, RevocableToken } from '../../src/revocation/denylist.js'
import { logout } from '../../src/session/logout.js'
import { formatRefreshToken, newRefreshToken, parseRefreshToken } from '../../src/token/refresh-token.js'
import {
  embedded,
  judged,
  refreshed,
  told,
  HOUR,
  MINUTE,
  SECOND,
  issue,
  refresh,
} from '../support/sessions.js'
import { PROOF } from '../support/refresh-token-proof.js'
import { failingOnce } from '../support/failing-denylist.js'

t.test('a refresh returns valid tokens and leaves the previous access token valid', async (t) => {
  const rig = embedded()
  const login = await issue(rig.ports, { sub: 'alice' })
  rig.clock.advance(MINUTE)
  const next = await refresh(rig.ports, login.refreshToken)
  t.not(next.refreshToken, login.refreshToken)
  t.equal(next.session.sid, login.session.sid)
  for (const { accessToken } of [login, next]) t.equal(await judged(rig, accessToken), 'good')
  t.equal(await refreshed(rig, next.refreshToken), 'good')
})

t.test('a retry returns the same refresh token and emits one event', async (t) => {
  const rig = embedded()
  const login = await issue(rig.ports, { sub: 'alice' })
  const first = await refresh(rig.ports, login.refreshToken)
  rig.clock.advance(9_999)
  const again = await refresh(rig.ports, login.refreshToken)
  t.equal(again.refreshToken, first.refreshToken)
  t.not(again.accessToken, first.accessToken)
  t.equal(again.sessionExpiresIn, 3_590, 'what is left of it')
  for (const { accessToken } of [first, again]) t.equal(await judged(rig, accessToken), 'good')
  t.equal(told(rig, 'refresh').length, 1)
  t.equal(await refreshed(rig, again.refreshToken), 'good')
})

t.test('a malformed refresh token is invalid, without a query to the store', async (t) => {
  const { ports, ...rig } = embedded()
  const { accessToken, refreshToken } = await issue(ports, { sub: 'alice' })
  const rotate = () => t.fail('the store was asked')
  const deaf = { ...rig, ports: { ...ports, store: Object.assign(Object.create(ports.store), { rotate }) } }
  const wrong = [
    '',
    '.',
    '..',
    `${refreshToken}.`,
    `${refreshToken}A`,
    refreshToken.slice(1),
    ` ${refreshToken}`,
  ]
  for (const token of [...wrong, `${refreshToken}\n`, refreshToken.replaceAll('.', ':'), accessToken]) {
    t.equal(await refreshed(deaf, token), 'refresh_token_invalid', JSON.stringify(token).slice(0, 30))
  }
})

t.test('an invented token with a known sid is invalid and changes nothing', async (t) => {
  const rig = embedded()
  const login = await issue(rig.ports, { sub: 'alice' })
  const forged = formatRefreshToken({ ...newRefreshToken(), sid: login.session.sid }, PROOF)
  for (let i = 0; i < 3; i += 1) t.equal(await refreshed(rig, forged), 'refresh_token_invalid')
  t.equal(await judged(rig, login.accessToken), 'good')
  t.equal(await refreshed(rig, login.refreshToken), 'good')
  t.same(told(rig, 'refresh_token_reused'), [])
})

t.test('reuse ends the session with all its access tokens, and no other session', async (t) => {
  const rig = embedded()
  const other = await issue(rig.ports, { sub: 'alice' })
  const login = await issue(rig.ports, { sub: 'alice' })
  const second = await refresh(rig.ports, login.refreshToken)
  const third = await refresh(rig.ports, second.refreshToken)
  t.equal(await refreshed(rig, login.refreshToken), 'refresh_token_reused')
  for (const { accessToken, refreshToken } of [login, second, third]) {
    t.equal(await judged(rig, accessToken), 'session_ended')
    t.equal(await refreshed(rig, refreshToken), 'session_ended')
  }
  t.strictSame(told(rig, 'refresh_token_reused'), [
    { event: 'refresh_token_reused', sub: 'alice', sid: login.session.sid },
  ])
  t.equal(await judged(rig, other.accessToken), 'good')
  t.equal(await refreshed(rig, other.refreshToken), 'good')
})

t.test('a thief who refreshes first is detected when the owner refreshes', async (t) => {
  const rig = embedded()
  const owner = await issue(rig.ports, { sub: 'alice' })
  const thief = await refresh(rig.ports, owner.refreshToken)
  rig.clock.advance(10 * SECOND)
  t.equal(await judged(rig, thief.accessToken), 'good')
  t.equal(await refreshed(rig, owner.refreshToken), 'refresh_token_reused')
  t.equal(await judged(rig, thief.accessToken), 'session_ended')
  t.equal(await refreshed(rig, thief.refreshToken), 'session_ended')
})

t.test('if the denylist entry for a reuse fails, the next use writes it', async (t) => {
  const rig = embedded()
  const login = await issue(rig.ports, { sub: 'alice' })
  const next = await refresh(rig.ports, login.refreshToken)
  rig.clock.advance(MINUTE)
  const denylist = failingOnce(rig.ports.denylist)
  const faulty = { ...rig, ports: { ...rig.ports, denylist } }
  t.equal(await refreshed(faulty, login.refreshToken), 'store_unavailable')
  t.equal(denylist.failures, 1)
  t.equal(await judged(rig, next.accessToken), 'good', 'the fault took place')
  t.equal(await refreshed(faulty, next.refreshToken), 'session_ended')
  t.equal(await judged(rig, next.accessToken), 'session_ended')
})

t.test('each way to end a session has its error code', async (t) => {
  const rig = embedded({ perSubject: 1, refreshLimit: 1 })
  const evicted = await issue(rig.ports, { sub: 'bob' })
  rig.clock.advance(SECOND)
  const limited = await refresh(rig.ports, (await issue(rig.ports, { sub: 'bob' })).refreshToken)
  const ended = await issue(rig.ports, { sub: 'carol' })
  await logout(rig.ports, { access: ended.session.sid })
  const idle = await issue(rig.ports, { sub: 'dave' })
  const neverStored = formatRefreshToken(newRefreshToken(), PROOF)
  t.equal(await refreshed(rig, evicted.refreshToken), 'signed_in_elsewhere')
  t.equal(await refreshed(rig, limited.refreshToken), 'refresh_limit_reached')
  t.equal(await judged(rig, limited.accessToken), 'good', 'its access token lives on')
  t.equal(await refreshed(rig, ended.refreshToken), 'session_ended')
  t.equal(await refreshed(rig, neverStored), 'session_ended')
  rig.clock.advance(HOUR)
  t.equal(await refreshed(rig, idle.refreshToken), 'refresh_token_expired')
})

t.test('a restart of the memory store forgets sessions and admits no earlier token', async (t) => {
  const before = embedded()
  const login = await issue(before.ports, { sub: 'alice' })
  const after = embedded()
  t.equal(await judged(after, login.accessToken), 'history_lost')
  t.equal(await refreshed(after, login.refreshToken), 'session_ended')
  t.equal(await judged(before, login.accessToken), 'good')
  t.ok(parseRefreshToken(login.refreshToken, PROOF))
})

t.test(
  'an instance whose clock is behind issues no token that an entry from before the login covers',
  async (t) => {
    const { ports } = embedded()
    const login = await issue(ports, { sub: 'alice' })
    const iat = Math.floor(login.session.createdAt / 1000)
    const behind = Object.assign(Object.create(ports.denylist) as Denylist, {
      stamp: async () => {
        const { jtiPrefix } = await ports.denylist.stamp()
        return { issuedAt: iat - 2, jtiPrefix }
      },
      check: (token: RevocableToken) => ports.denylist.check(token),
      trusts: () => true,
    })
    const { accessToken } = await refresh({ ...ports, denylist: behind }, login.refreshToken)
    t.equal(claimsIn(accessToken).iat, iat, 'that of the login, which is later than any such entry')
  },
)

function claimsIn(token: string): { iat: number } {
  return JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as { iat: number }
}
