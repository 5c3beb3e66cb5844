import t from 'tap'
import { RateBound } from '../src/rate-bound.js'

t.test('a bound lets so many pass in each second, and refuses the rest as overloaded', async (t) => {
  let now = 5_000
  const bound = new RateBound(3, () => now)
  for (let i = 0; i < 3; i += 1) bound.take()
  t.throws(() => bound.take(), { code: 'overloaded', statusCode: 503 })
  now = 5_999
  t.throws(() => bound.take(), { code: 'overloaded' })
  now = 6_000
  for (let i = 0; i < 3; i += 1) bound.take()
  t.throws(() => bound.take(), { code: 'overloaded' })
})
