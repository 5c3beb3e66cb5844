import t from 'tap'
import { mapIdentity, mapUpdate } from '../../src/login/identity-mapping.js'

const mapping = {
  subject: '/user/id',
  claims: { role: '/user/role', tenant: '/tenant', scope: '/scope', list: '/list' },
}

const subjects: [id: unknown, outcome: string][] = [
  ['u1', 'u1'],
  [' u1 ', ' u1 '],
  [17, '17'],
  [0, '0'],
  [-1, '-1'],
  [9_007_199_254_740_991, '9007199254740991'],
  ['x'.repeat(256), 'x'.repeat(256)],
  ['Zoë 👤', 'Zoë 👤'],
  [undefined, 'nobody'],
  [null, 'nobody'],
  ['', 'subject'],
  ['x'.repeat(257), 'subject'],
  ['\ud800', 'subject'],
  // JSON.parse has made it of 9007199254740993, which is somebody else.
  [9_007_199_254_740_992, 'subject'],
  [1.5, 'subject'],
  [Infinity, 'subject'],
  [true, 'subject'],
  [['u1'], 'subject'],
  [{ id: 'u1' }, 'subject'],
]
for (const [id, outcome] of subjects) {
  t.test(`the subject ${String(JSON.stringify(id)).slice(0, 40)} is ${outcome.slice(0, 40)}`, async (t) => {
    const mapped = mapIdentity({ user: { id } }, mapping)
    t.equal(
      mapped.kind === 'somebody' ? mapped.identity.sub : mapped.kind === 'nobody' ? 'nobody' : mapped.reason,
      outcome,
    )
  })
}

t.test('claims are copied unchanged; missing or null ones are left out', async (t) => {
  const answer = { user: { id: 'u1', role: { name: 'clerk', grades: [1, null] } }, tenant: null, list: [] }
  t.strictSame(mapIdentity(answer, mapping), {
    kind: 'somebody',
    identity: { sub: 'u1', claims: { role: { name: 'clerk', grades: [1, null] }, list: [] } },
  })
})

t.test('a scope must be text', async (t) => {
  const claimsWith = (scope: unknown) => {
    const mapped = mapIdentity({ user: { id: 'u1' }, scope }, mapping)
    return mapped.kind === 'somebody' && mapped.identity.claims
  }
  t.strictSame(claimsWith('read write'), { scope: 'read write' })
  for (const scope of [7, ['read'], { read: true }, true]) t.strictSame(claimsWith(scope), {}, String(scope))
})

t.test('claims too large for a token are refused, not cut', async (t) => {
  const withList = (list: unknown) => mapIdentity({ user: { id: 'u1' }, list }, mapping)
  t.match(withList('x'.repeat(4_000)), { kind: 'somebody' })
  t.strictSame(withList('x'.repeat(4_096)), { kind: 'unusable', reason: 'claims_too_large' })
  const deep: unknown = JSON.parse(`${'['.repeat(30_000)}${']'.repeat(30_000)}`)
  t.strictSame(withList(deep), { kind: 'unusable', reason: 'claims_too_large' })
})

t.test('an update has the scope and the claims of the response, and what is missing is gone', async (t) => {
  const update = (response: unknown, to: Partial<typeof mapping> = {}) =>
    mapUpdate(response, '17', { ...mapping, ...to })
  t.strictSame(update({ user: { id: 17, role: 'clerk' }, scope: 'read' }), {
    kind: 'update',
    update: { scope: 'read', claims: { role: 'clerk' } },
  })
  t.strictSame(
    update({ tenant: 'one' }),
    { kind: 'update', update: { scope: '', claims: { tenant: 'one' } } },
    'without a subject and a scope',
  )
  t.strictSame(update({ user: { id: '17' } }), { kind: 'update', update: { scope: '', claims: {} } })
  t.strictSame(
    update({ user: { id: '17' }, scope: 'read' }, { claims: {} } as object),
    { kind: 'update', update: {} },
    'without pointers, nothing changes',
  )
  t.strictSame(
    update({ user: { id: '17' }, scope: 'read' }, { claims: { scope: '/scope' } } as object),
    { kind: 'update', update: { scope: 'read' } },
    'without pointers to claims, they stay',
  )
})

t.test('an update about another user, about nobody, or with too much is unusable', async (t) => {
  const reasonOf = (response: unknown) => {
    const mapped = mapUpdate(response, '17', mapping)
    return mapped.kind === 'unusable' && mapped.reason
  }
  for (const id of [18, '18', '017', true, {}, '']) t.equal(reasonOf({ user: { id, role: 'x' } }), 'subject')
  for (const response of [{ ok: false }, { user: null }, {}, [], 'no', 7])
    t.equal(reasonOf(response), 'empty')
  t.equal(reasonOf({ user: { id: 17 }, list: 'x'.repeat(4_096) }), 'claims_too_large')
})
