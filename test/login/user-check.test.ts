import t from 'tap'
import { combineChecks } from '../../src/login/user-check.js'
import type { CheckedUser, UserCheck } from '../../src/login/user-check.js'
import type { Session } from '../../src/session/session.js'

const session = { sub: 'ada', scope: 'read', claims: { tenant: 'one' } } as unknown as Session

/** A check with a fixed result, and the sessions that it was called with. */
function fixed(result: CheckedUser | null): { check: UserCheck; seen: object[] } {
  const seen: object[] = []
  const check: UserCheck = async ({ scope, claims }, request) => {
    seen.push({ scope, claims, request })
    return result
  }
  return { check, seen }
}

t.test('without a check there is none, and one check is used as it is', async (t) => {
  const { check } = fixed({})
  t.equal(combineChecks([]), undefined)
  t.equal(combineChecks([check]), check)
})

t.test('a later check sees what an earlier one has returned, and wins', async (t) => {
  const [one, two] = [fixed({ scope: '' }), fixed({ claims: { role: 'clerk' } })]
  const check = combineChecks([one.check, two.check])!
  t.strictSame(await check(session, 'a request'), { scope: '', claims: { role: 'clerk' } })
  t.strictSame(one.seen, [{ scope: 'read', claims: { tenant: 'one' }, request: 'a request' }])
  t.strictSame(two.seen, [{ scope: undefined, claims: { tenant: 'one' }, request: 'a request' }])
  const [three, four] = [fixed({ scope: 'a', claims: {} }), fixed({ scope: 'b' })]
  t.strictSame(await combineChecks([three.check, four.check])!(session), { scope: 'b', claims: {} })
})

t.test('the first null ends the session, and later checks don’t run', async (t) => {
  const later = fixed({})
  t.equal(await combineChecks([fixed(null).check, later.check])!(session), null)
  t.strictSame(later.seen, [])
})
