/** The user is read again at each exchange of a token. */
import t from 'tap'
import { storeUnavailable } from '../../src/errors.js'
import { RefreshChecks } from '../../src/session/refresh-check.js'
import type { RefreshCheck } from '../../src/session/refresh-check.js'
import { failingOnce } from '../support/failing-denylist.js'
import {
  claimsOf,
  embedded,
  issue,
  judged,
  outcomeOf,
  refresh,
  refreshed,
  told,
  MINUTE,
} from '../support/sessions.js'

function checkedBy(check: RefreshCheck) {
  const rig = embedded()
  return { ...rig, ports: { ...rig.ports, refreshChecks: new RefreshChecks(check) } }
}

t.test('a refresh has the scope and the claims that the check returns, and so have later ones', async (t) => {
  let answer: Awaited<ReturnType<RefreshCheck>> = { scope: 'read', claims: { role: 'reader' } }
  const rig = checkedBy(async () => answer)
  const login = await issue(rig.ports, { sub: 'alice', scope: 'read write', claims: { role: 'editor' } })
  const next = await refresh(rig.ports, login.refreshToken)
  t.match(claimsOf(next.accessToken), { scope: 'read', role: 'reader' })
  answer = {}
  const third = await refresh(rig.ports, next.refreshToken)
  t.match(claimsOf(third.accessToken), { scope: 'read', role: 'reader' }, 'unchanged')
})

t.test('the check gets the session and the request', async (t) => {
  const seen: unknown[] = []
  const rig = checkedBy(async ({ sub, sid, scope, claims }, request) => {
    seen.push({ sub, sid, scope, claims, request })
    return {}
  })
  const login = await issue(rig.ports, { sub: 'alice', scope: 'read', claims: { a: 1 } })
  await refresh(rig.ports, login.refreshToken, { request: 'the request' })
  const { sid } = login.session
  t.strictSame(seen, [{ sub: 'alice', sid, scope: 'read', claims: { a: 1 }, request: 'the request' }])
})

t.test('null ends the session with its access tokens', async (t) => {
  const rig = checkedBy(async () => null)
  const login = await issue(rig.ports, { sub: 'alice' })
  t.equal(await refreshed(rig, login.refreshToken), 'session_ended')
  t.equal(await judged(rig, login.accessToken), 'session_ended')
  t.match(told(rig, 'session_ended'), [{ sub: 'alice', reason: 'revoked' }])
})

t.test('null whose revocation failed is completed by the next refresh', async (t) => {
  const rig = checkedBy(async () => null)
  const login = await issue(rig.ports, { sub: 'alice' })
  const failing = { ...rig.ports, denylist: failingOnce(rig.ports.denylist) }
  t.equal(await outcomeOf(() => refresh(failing, login.refreshToken)), 'store_unavailable')
  t.equal(await judged(rig, login.accessToken), 'good', 'the fault took place')
  t.equal(await outcomeOf(() => refresh(failing, login.refreshToken)), 'session_ended')
  t.equal(await judged(rig, login.accessToken), 'session_ended')
})

t.test('an error is 503 and changes nothing', async (t) => {
  let isDown = true
  const rig = checkedBy(async () => {
    if (isDown) throw new Error('the database is down')
    return {}
  })
  const login = await issue(rig.ports, { sub: 'alice' })
  t.equal(await refreshed(rig, login.refreshToken), 'store_unavailable')
  t.equal(await judged(rig, login.accessToken), 'good')
  rig.clock.advance(MINUTE)
  isDown = false
  t.equal(await refreshed(rig, login.refreshToken), 'good', 'the token was not used up')
})

t.test('a retry within the grace isn’t checked, nor is a token that won’t rotate', async (t) => {
  let checks = 0
  const rig = checkedBy(async () => {
    checks += 1
    return { claims: { check: checks } }
  })
  const login = await issue(rig.ports, { sub: 'alice' })
  const first = await refresh(rig.ports, login.refreshToken)
  const again = await refresh(rig.ports, login.refreshToken)
  t.equal(checks, 1)
  t.strictSame(claimsOf(again.accessToken), claimsOf(first.accessToken))
  rig.clock.advance(MINUTE)
  t.equal(await refreshed(rig, login.refreshToken), 'refresh_token_reused')
  t.equal(await refreshed(rig, first.refreshToken), 'session_ended')
  t.equal(checks, 1)
})

t.test('24 uses of one token at the same time are checked once', async (t) => {
  let checks = 0
  let finish = () => {}
  const done = new Promise<void>((resolve) => (finish = resolve))
  const rig = checkedBy(async () => {
    checks += 1
    await done
    return { claims: { check: checks } }
  })
  const login = await issue(rig.ports, { sub: 'alice' })
  const uses = Array.from({ length: 24 }, () => refresh(rig.ports, login.refreshToken))
  finish()
  const all = await Promise.all(uses)
  t.equal(checks, 1)
  t.equal(new Set(all.map(({ accessToken }) => claimsOf(accessToken).jti)).size, 1)
})

t.test('the next refresh is checked again', async (t) => {
  let checks = 0
  const rig = checkedBy(async () => {
    checks += 1
    return {}
  })
  let { refreshToken } = await issue(rig.ports, { sub: 'alice' })
  for (let i = 1; i <= 3; i += 1) {
    ;({ refreshToken } = await refresh(rig.ports, refreshToken))
    t.equal(checks, i)
  }
})

t.test('a logout during the check ends the session: the refresh that waited gets nothing', async (t) => {
  const rig = checkedBy(async ({ sid }) => {
    await rig.ports.store.end({ sid, reason: 'logout', tombstone: MINUTE, now: rig.clock.now() })
    return {}
  })
  const login = await issue(rig.ports, { sub: 'alice' })
  t.equal(await refreshed(rig, login.refreshToken), 'session_ended')
})

t.test('an error of ours is passed on', async (t) => {
  const rig = checkedBy(async () => Promise.reject(storeUnavailable('the legacy API is down')))
  const login = await issue(rig.ports, { sub: 'alice' })
  t.equal(await outcomeOf(() => refresh(rig.ports, login.refreshToken)), 'store_unavailable')
})

t.test('claims that no token can hold are 503 and change nothing', async (t) => {
  let claims: Record<string, unknown> = { list: 'x'.repeat(10_000) }
  const rig = checkedBy(async () => ({ claims }))
  const login = await issue(rig.ports, { sub: 'alice', claims: { role: 'editor' } })
  t.equal(await refreshed(rig, login.refreshToken), 'store_unavailable')
  t.strictSame((await rig.ports.store.read(login.session.sid))?.claims, { role: 'editor' })
  rig.clock.advance(MINUTE)
  claims = { role: 'reader' }
  const next = await refresh(rig.ports, login.refreshToken)
  t.match(claimsOf(next.accessToken), { role: 'reader' })
})

t.test('an empty scope means none', async (t) => {
  const rig = checkedBy(async () => ({ scope: '' }))
  const login = await issue(rig.ports, { sub: 'alice', scope: 'read' })
  const next = await refresh(rig.ports, login.refreshToken)
  t.notOk('scope' in claimsOf(next.accessToken))
})
