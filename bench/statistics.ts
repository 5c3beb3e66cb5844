/** Several measurements of one thing. */
export interface Spread {
  readonly median: number
  /** Between these two lies, with 95 %, the median that endless rounds would have. */
  readonly low: number
  readonly high: number
  readonly min: number
  readonly max: number
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = (sorted.length - 1) / 2
  const at = (rank: number) => sorted[rank] ?? Number.NaN
  const cut = ranksToCut(sorted.length)
  return {
    median: (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2,
    low: at(cut),
    high: at(sorted.length - 1 - cut),
    min: at(0),
    max: at(sorted.length - 1),
  }
}

/**
 * How many values may be left out at each end, so that what is left has the true median in it with 95 %: each value
 * is as likely above it as below (the sign test's interval). With fewer than six, none.
 */
function ranksToCut(count: number): number {
  let cut = 0
  let tail = 0.5 ** count
  for (let chance = tail; tail <= 0.025; cut += 1) {
    chance *= (count - cut) / (cut + 1)
    tail += chance
  }
  return Math.max(0, cut - 1)
}

/**
 * What one costs in terms of another: the ratio of each round, as the two were then measured within seconds, when the
 * machine had much the same else to do.
 */
export function ratioOf(values: readonly number[], to: readonly number[]): Spread {
  return spreadOf(values.map((value, round) => value / (to[round] ?? Number.NaN)))
}

/** By how much a peer may exceed its best round in a quiet one. */
const QUIET = 1.15
/** Of fewer, an interval says nothing. */
const MIN_ROUNDS = 6

/**
 * The rounds in which the machine was left alone: those in which a peer took hardly more than in its best one. Chosen
 * by the lesser side of a ratio, they make that greater rather than less. Too few: all of them.
 */
export function quietRounds(values: readonly number[]): readonly number[] {
  const limit = QUIET * Math.min(...values)
  const rounds = [...values.keys()]
  const quiet = rounds.filter((round) => values[round]! <= limit)
  return quiet.length < MIN_ROUNDS ? rounds : quiet
}
