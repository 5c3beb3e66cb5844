import t from 'tap'
import { newClaims } from '../../src/token/access-token.js'
import type { Session, Sid } from '../../src/session/session.js'
import { AUDIENCE, ISSUER } from '../support/access-tokens.js'

const NOW = 1_800_000_000
const stamp = { issuedAt: NOW, jtiPrefix: 'ABCDEFGH' }
const rules = { issuer: ISSUER, audience: AUDIENCE, access: 900_000, jitter: 0 }
const JTI = 'abcdefghijklmnopqrstuv'
const session: Session = {
  sid: 'sid' as Sid,
  sub: 'alice',
  clientId: 'portcullis',
  scope: undefined,
  claims: {},
  createdAt: (NOW - 60) * 1000 + 999,
  lastSeenAt: NOW * 1000,
  endsAt: 0,
  refreshCount: 0,
  jtiPrefix: 'ABCDEFGH',
  loginJtiPrefix: 'ABCDEFGH',
  expiresAt: (NOW + 10_000) * 1000,
}
const claimsOf = (change: Partial<Session> = {}, access = rules.access) =>
  newClaims({ ...session, ...change }, stamp, JTI, { ...rules, access })

t.test('a token has subject, audience, session and lifetime', async (t) => {
  const { jti, ...rest } = claimsOf()
  t.strictSame(rest, {
    iss: ISSUER,
    aud: AUDIENCE,
    sub: 'alice',
    client_id: 'portcullis',
    sid: 'sid',
    iat: NOW,
    exp: NOW + 900,
    auth_time: NOW - 60,
  })
  t.equal(jti, `ABCDEFGH${JTI}`)
})

t.test('a token doesn’t outlive its session', async (t) => {
  t.equal(claimsOf({ expiresAt: (NOW + 900) * 1000 }).exp, NOW + 900)
  t.equal(claimsOf({ expiresAt: (NOW + 899) * 1000 + 999 }).exp, NOW + 899)
  t.equal(claimsOf({ expiresAt: (NOW + 5) * 1000 }).exp, NOW + 5)
  t.equal(claimsOf({ expiresAt: Number.POSITIVE_INFINITY }).exp, NOW + 900, 'also one without an end')
})

t.test('fractions of a second are not rounded up', async (t) => t.equal(claimsOf({}, 1_999).exp, NOW + 1))

t.test('claims of the host are included', async (t) => {
  t.match(claimsOf({ claims: { role: 'editor', tags: ['a'] } }), { role: 'editor', tags: ['a'] })
})

t.test('claims of the host can’t replace ours, not even absent ones', async (t) => {
  const names = ['iss', 'aud', 'sub', 'client_id', 'sid', 'jti', 'iat', 'exp', 'auth_time', 'scope']
  const claims = Object.fromEntries(names.map((name) => [name, 'forged']))
  t.notOk(Object.values(claimsOf({ claims })).includes('forged'))
  t.notOk(Object.hasOwn(claimsOf({ claims }), 'scope'))
  t.equal(claimsOf({ claims, scope: 'read' }).scope, 'read')
})
