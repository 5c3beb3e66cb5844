import t from 'tap'
import { SignatureBudget } from '../../src/token/signature-budget.js'
import { MovableClock } from '../support/movable-clock.js'

/** Presents bad tokens; gives how many were verified. */
function present(budget: SignatureBudget, count: number, address: string): number {
  let verified = 0
  for (let n = 0; n < count; n += 1) {
    try {
      budget.check(address)
    } catch (error) {
      t.match(error, { code: 'rate_limited', headers: { 'retry-after': '1' } })
      continue
    }
    verified += 1
    budget.countFailure(address)
  }
  return verified
}

t.test('an address has a budget of wrong signatures, and others have theirs', async (t) => {
  const clock = new MovableClock()
  const budget = new SignatureBudget(clock, (address) => address.split('.')[0]!)
  t.equal(present(budget, 500, '1.a'), 101, 'the budget, and one more per 100 ms')
  t.equal(present(budget, 500, '1.b'), 0, 'of the same client')
  t.equal(present(budget, 50, '2.a'), 50)
  clock.advance(99)
  t.equal(present(budget, 500, '1.a'), 0)
  clock.advance(1)
  t.equal(present(budget, 500, '1.a'), 1, 'one token in 100 ms still has a chance')
  clock.advance(10_000)
  t.equal(present(budget, 500, '1.a'), 101, 'the next period')
})
