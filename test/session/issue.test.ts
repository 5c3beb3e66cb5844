import t from 'tap'
import type { Identity } from '../../src/session/session.js'
import { parseRefreshToken } from '../../src/token/refresh-token.js'
import { PROOF } from '../support/refresh-token-proof.js'
import { living } from '../support/session-store.js'
import {
  claimsOf,
  embedded,
  judged,
  told,
  HOUR,
  MINUTE,
  RULES,
  SECOND,
  issue,
  refresh,
} from '../support/sessions.js'

t.test('a login issues a valid access token with the identity', async (t) => {
  const rig = embedded()
  const { accessToken, expiresIn, refreshToken, sessionExpiresIn, session } = await issue(
    rig.ports,
    { sub: 'alice', clientId: 'app', scope: 'read write', claims: { role: 'admin' } },
    { device: 'telephone', ip: '127.0.0.1', userAgent: 'test' },
  )
  const now = Math.floor(rig.clock.now() / 1000)
  const { jti, ...claims } = claimsOf(accessToken)
  t.strictSame(claims, {
    role: 'admin',
    iss: RULES.issuer,
    aud: RULES.audience,
    sub: 'alice',
    client_id: 'app',
    sid: session.sid,
    iat: now,
    exp: now + 900,
    auth_time: now,
    scope: 'read write',
  })
  t.match(jti, /^[\w-]{30}$/)
  t.equal(expiresIn, 900)
  t.equal(sessionExpiresIn, 3_600)
  t.equal(parseRefreshToken(refreshToken, PROOF)?.sid, session.sid)
  t.equal(await judged(rig, accessToken), 'good')
  t.strictSame(rig.events, [{ event: 'login', sub: 'alice', sid: session.sid, ip: '127.0.0.1' }])
  t.strictSame(await living(rig.ports.store, 'alice', rig.clock.now()), [session])
})

t.test('each login has its own session, tokens and ids', async (t) => {
  const { ports } = embedded()
  const logins = await Promise.all(Array.from({ length: 20 }, () => issue(ports, { sub: 'alice' })))
  for (const values of [
    logins.map(({ session }) => session.sid),
    logins.map(({ accessToken }) => claimsOf(accessToken).jti),
    logins.flatMap(({ refreshToken }) => refreshToken.split('.').slice(1)),
  ]) {
    t.equal(new Set(values).size, values.length)
  }
})

t.test('a subject that isn’t a string of 1 to 256 well-formed characters throws a TypeError', async (t) => {
  const rig = embedded()
  const wrong = [
    '',
    'x'.repeat(257),
    'half a pair \ud800',
    undefined,
    null,
    7.5,
    2 ** 53,
    ['alice'],
    { toString: () => 'alice' },
  ]
  for (const sub of wrong) {
    await t.rejects(issue(rig.ports, { sub } as Identity), { name: 'TypeError', message: /^sub must be / })
  }
  t.same(rig.events, [])
  for (const sub of ['x', 'x'.repeat(256), '\u{1f980}'.repeat(128), ' \n{}']) {
    const { accessToken } = await issue(rig.ports, { sub })
    t.equal(await judged(rig, accessToken), 'good')
    t.equal(claimsOf(accessToken).sub, sub)
  }
})

t.test('claims of the host application can’t replace Portcullis’s, at login or at a refresh', async (t) => {
  const rig = embedded()
  const claims = {
    iss: 'https://evil.example',
    aud: 'https://evil.example',
    sub: 'root',
    client_id: 'evil',
    sid: 'x'.repeat(22),
    jti: 'chosen',
    iat: 1,
    exp: 9_999_999_999,
    auth_time: 1,
    scope: 'everything',
  }
  const login = await issue(rig.ports, { sub: 'alice', scope: 'read', claims: { ...claims, mine: true } })
  const again = await refresh(rig.ports, login.refreshToken)
  for (const { accessToken } of [login, again]) {
    const issued = claimsOf(accessToken)
    t.equal(issued['mine'], true)
    for (const [name, value] of Object.entries(claims)) t.not(issued[name], value, name)
    t.equal(await judged(rig, accessToken), 'good')
  }
})

t.test('an access token does not outlive its session, at login or at the last refresh', async (t) => {
  const rig = embedded({ absolute: 20 * MINUTE })
  const { session, refreshToken, accessToken } = await issue(rig.ports, { sub: 'alice' })
  t.equal(claimsOf(accessToken).exp, Math.floor(rig.clock.now() / 1000) + 900)
  rig.clock.advance(12 * MINUTE)
  const late = await refresh(rig.ports, refreshToken)
  t.equal(claimsOf(late.accessToken).exp, Math.floor(session.endsAt / 1000))
  t.equal(late.expiresIn, 8 * 60)
  t.equal(late.sessionExpiresIn, 8 * 60)
  rig.clock.advance(8 * MINUTE - SECOND)
  t.equal(await judged(rig, late.accessToken), 'good')
  rig.clock.advance(SECOND)
  t.equal(await judged(rig, late.accessToken), 'token_expired')

  const short = embedded({ absolute: 5 * MINUTE })
  const { expiresIn, sessionExpiresIn } = await issue(short.ports, { sub: 'alice' })
  t.same([expiresIn, sessionExpiresIn], [300, 300])
})

t.test('an access token is valid to the last millisecond of its life', async (t) => {
  const rig = embedded()
  const { accessToken } = await issue(rig.ports, { sub: 'alice' })
  rig.clock.advance(claimsOf(accessToken).exp * 1000 - rig.clock.now() - 1)
  t.equal(await judged(rig, accessToken), 'good')
  rig.clock.advance(1)
  t.equal(await judged(rig, accessToken), 'token_expired')
})

t.test('subject, login time and client id don’t change with refreshes', async (t) => {
  const rig = embedded()
  const login = await issue(rig.ports, { sub: 'alice', clientId: 'app', scope: '', claims: { role: 'a' } })
  let { refreshToken } = login
  for (let i = 0; i < 3; i += 1) {
    rig.clock.advance(50 * MINUTE)
    const next = await refresh(rig.ports, refreshToken)
    const { jti, iat, exp, ...rest } = claimsOf(next.accessToken)
    const { jti: firstJti, iat: _iat, exp: _exp, ...first } = claimsOf(login.accessToken)
    t.strictSame(rest, first)
    t.not(jti, firstJti)
    t.equal(iat, Math.floor(rig.clock.now() / 1000))
    t.equal(exp, iat + 900)
    refreshToken = next.refreshToken
  }
  t.equal(told(rig, 'refresh').length, 3)
  t.equal(rig.clock.now() - login.session.createdAt, 2.5 * HOUR)
})
