import t from 'tap'
import { identityHeaders } from '../../src/gateway/identity-headers.js'
import type { AccessClaims } from '../../src/token/access-token.js'

const claims = {
  iss: 'i',
  aud: 'a',
  sub: 'u1',
  sid: 's1',
  jti: 'j1',
  iat: 1,
  exp: 2,
  tenant: 'acme',
  level: 3,
  staff: false,
  empty: '',
  roles: ['a'],
  nested: { sub: 'mallory' },
  nothing: null,
  braced: '{sid}',
} satisfies AccessClaims

const templates: [template: string, value: string | undefined][] = [
  ['sub', 'u1'],
  ['{sub}', 'u1'],
  ['{sub}@{tenant}', 'u1@acme'],
  ['user {sub}, tenant {tenant}', 'user u1, tenant acme'],
  ['{sub}{sub}', 'u1u1'],
  ['level', '3'],
  ['staff', 'false'],
  ['empty', ''],
  ['missing', undefined],
  ['roles', undefined],
  ['nested', undefined],
  ['nothing', undefined],
  // A half-filled template may name somebody else.
  ['{sub}@{missing}', undefined],
  ['{sub}@{roles}', undefined],
  // What a claim says is no template.
  ['braced', '{sid}'],
  ['{braced}-{sub}', '{sid}-u1'],
  // Nor are a prototype's properties claims.
  ['constructor', undefined],
  ['toString', undefined],
  ['{__proto__}', undefined],
]
for (const [template, value] of templates) {
  t.test(`${template} is ${value ?? 'left out'}`, async (t) => {
    t.strictSame(identityHeaders({ 'X-User': template })(claims), { 'X-User': value })
  })
}

t.test('each identity header has its configured name, for one caller after the other', async (t) => {
  const headers = identityHeaders({ 'X-User': 'sub', 'X-Tenant': '{tenant}' })
  t.strictSame(headers(claims), { 'X-User': 'u1', 'X-Tenant': 'acme' })
  const { tenant: _, ...homeless } = claims
  t.strictSame(headers({ ...homeless, sub: 'u2' }), { 'X-User': 'u2', 'X-Tenant': undefined })
})
