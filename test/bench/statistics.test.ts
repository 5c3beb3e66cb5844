import t from 'tap'
import { quietRounds, ratioOf, spreadOf } from '../../bench/statistics.js'

const upTo = (count: number) => Array.from({ length: count }, (_, at) => at + 1)

t.test('the interval of the median leaves out as many ranks as the sign test allows', async (t) => {
  // As in published tables of the binomial distribution (two-sided, 5 %).
  for (const [count, low, high] of [
    [1, 1, 1],
    [5, 1, 5],
    [6, 1, 6],
    [8, 1, 8],
    [9, 2, 8],
    [12, 3, 10],
    [15, 4, 12],
    [20, 6, 15],
    [30, 10, 21],
  ] as const) {
    t.match(spreadOf(upTo(count).toReversed()), { low, high, min: 1, max: count }, `${count} rounds`)
  }
})

t.test('medians, and ratios per round', async (t) => {
  t.equal(spreadOf([3, 1, 2]).median, 2)
  t.equal(spreadOf([4, 1, 2, 3]).median, 2.5)
  t.match(ratioOf([2, 9, 4], [1, 3, 4]), { median: 2, min: 1, max: 3 })
})

t.test('quiet rounds are those near the best one; too few of them are no basis', async (t) => {
  t.strictSame(quietRounds([10, 11, 20, 11.5, 10, 11, 30, 10.5]), [0, 1, 3, 4, 5, 7])
  t.strictSame(quietRounds([10, 20, 20, 20, 20, 20]), [0, 1, 2, 3, 4, 5])
})
