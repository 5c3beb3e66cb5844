import t from 'tap'
import { SignatureBudget } from '../../src/token/signature-budget.js'
import type { Purpose } from '../../src/token/signature-budget.js'
import { MovableClock } from '../support/movable-clock.js'

/** Presents bad tokens; gives how many were verified. */
function present(
  budget: SignatureBudget,
  count: number,
  address: string,
  purpose: Purpose = 'request',
): number {
  let verified = 0
  for (let n = 0; n < count; n += 1) {
    try {
      budget.check(address, purpose)
    } catch (error) {
      t.match(error, { code: 'rate_limited', headers: { 'retry-after': '1' } })
      continue
    }
    verified += 1
    budget.countFailure(address, purpose)
  }
  return verified
}

const keyOf = (address: string) => address.split('.')[0]!

t.test('an address has a budget of wrong signatures, and others have theirs', async (t) => {
  const clock = new MovableClock()
  const budget = new SignatureBudget(clock, keyOf, 'ES512')
  t.equal(present(budget, 500, '1.a'), 66)
  t.equal(present(budget, 500, '1.b'), 0, 'of the same client')
  t.equal(present(budget, 500, '1.a', 'logout'), 66, 'logouts have their own')
  t.equal(present(budget, 50, '2.a'), 50)
  clock.advance(4)
  t.equal(present(budget, 500, '1.a'), 0)
  clock.advance(150)
  t.equal(present(budget, 500, '1.a'), 10, 'it refills steadily')
  clock.advance(20_000)
  t.equal(present(budget, 500, '1.a'), 66, 'and is full in the end')
  t.equal(present(new SignatureBudget(clock, keyOf, 'EdDSA'), 900, '1.a'), 500, 'of a cheap algorithm')
})

t.test('bad tokens below the rate never lock out an address', async (t) => {
  const clock = new MovableClock()
  const budget = new SignatureBudget(clock, keyOf, 'ES512')
  for (let second = 0; second < 60; second += 1) {
    t.equal(present(budget, 50, '1.a'), 50)
    clock.advance(1_000)
  }
})

t.test('a good token has its chance within a second after a flood has spent the budget', async (t) => {
  const clock = new MovableClock()
  const budget = new SignatureBudget(clock, keyOf, 'ES512')
  let verified = 0
  present(budget, 500, '1.a')
  for (let n = 0; n < 1_000; n += 1) {
    clock.advance(1)
    verified += present(budget, 1, '1.a')
  }
  t.ok(verified > 50, `${verified} of 1,000 tokens in a second were verified`)
})
