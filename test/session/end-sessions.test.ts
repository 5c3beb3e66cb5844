import t from 'tap'
import { endOwnSession } from '../../src/session/end-own-session.js'
import { endSessions } from '../../src/session/end-sessions.js'
import { newRefreshToken } from '../../src/token/refresh-token.js'
import { embedded, judged, outcomeOf, refreshed, told, issue } from '../support/sessions.js'

t.test('a subject can end its own sessions, current or other, repeatedly', async (t) => {
  const rig = embedded()
  const other = await issue(rig.ports, { sub: 'alice' })
  const current = await issue(rig.ports, { sub: 'alice' })
  for (let i = 0; i < 2; i += 1) {
    t.equal(await outcomeOf(() => endOwnSession(rig.ports, 'alice', other.session.sid)), 'good')
    t.equal(await judged(rig, other.accessToken), 'session_ended')
    t.equal(await refreshed(rig, other.refreshToken), 'session_ended')
  }
  t.equal(await judged(rig, current.accessToken), 'good')
  await endOwnSession(rig.ports, 'alice', current.session.sid)
  t.equal(await judged(rig, current.accessToken), 'session_ended')
  t.equal(told(rig, 'logout').length, 2)
})

t.test('another subject’s session is not found and stays active', async (t) => {
  const rig = embedded()
  const bobs = await issue(rig.ports, { sub: 'bob' })
  t.equal(await outcomeOf(() => endOwnSession(rig.ports, 'alice', bobs.session.sid)), 'not_found')
  t.equal(await judged(rig, bobs.accessToken), 'good')
  t.equal(await refreshed(rig, bobs.refreshToken), 'good')
  t.same([...told(rig, 'logout'), ...told(rig, 'session_ended')], [])
})

t.test('another subject’s ended session is not found either', async (t) => {
  const rig = embedded()
  const { session } = await issue(rig.ports, { sub: 'bob' })
  await endOwnSession(rig.ports, 'bob', session.sid)
  t.equal(await outcomeOf(() => endOwnSession(rig.ports, 'alice', session.sid)), 'not_found')
})

t.test('an unknown session is not found and not revoked', async (t) => {
  const rig = embedded()
  const { sid } = newRefreshToken()
  t.equal(await outcomeOf(() => endOwnSession(rig.ports, 'alice', sid)), 'not_found')
  const { jtiPrefix, issuedAt } = await rig.ports.denylist.stamp()
  t.equal(
    await rig.ports.denylist.check({ sid, jti: jtiPrefix, sub: 'alice', kid: 'k', iat: issuedAt }),
    undefined,
  )
})

t.test(
  'each of many sessions gets its own outcome, in order, and only permitted ones are revoked',
  async (t) => {
    const rig = embedded()
    const [mine, bobs] = [await issue(rig.ports, { sub: 'alice' }), await issue(rig.ports, { sub: 'bob' })]
    const { sid: unknown } = newRefreshToken()
    const outcomes = await endSessions(
      rig.ports,
      [{ sid: bobs.session.sid, sub: 'alice' }, { sid: mine.session.sid, sub: 'alice' }, { sid: unknown }],
      'revoked',
    )
    t.strictSame(outcomes, [{ kind: 'foreign' }, { kind: 'ended', sub: 'alice' }, { kind: 'unknown' }])
    t.equal(await judged(rig, bobs.accessToken), 'good')
    t.equal(await judged(rig, mine.accessToken), 'session_ended')
    t.match(told(rig, 'session_ended'), [{ sid: mine.session.sid, reason: 'revoked' }])
    t.same(await endSessions(rig.ports, [], 'logout'), [])
  },
)
