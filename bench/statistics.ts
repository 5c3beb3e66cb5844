/** A summary of several measurements of the same value. */
export interface Spread {
  readonly median: number
  /** The bounds of the 95 % interval of the median. */
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
 * Returns the number of values that can be cut off at each end, so that the rest contains the true median with a
 * probability of 95 %. Each value is above or below the median with equal probability, as in the sign test. With fewer
 * than six values, nothing can be cut off.
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
 * Returns the ratio of one peer to another, round by round. In a round, both were measured within seconds, under much
 * the same other load on the machine.
 */
export function ratioOf(values: readonly number[], to: readonly number[]): Spread {
  return spreadOf(values.map((value, round) => value / (to[round] ?? Number.NaN)))
}

/** In a quiet round, a peer takes at most this factor of its best round. */
const QUIET = 1.15
/** With fewer rounds, an interval means nothing. */
const MIN_ROUNDS = 6

/**
 * Returns the indexes of the quiet rounds, in which a peer took hardly more than in its best round. Because `values` is
 * the denominator of the ratio, the choice makes the ratio rather too high than too low. With fewer than
 * {@link MIN_ROUNDS} quiet rounds, all rounds are returned.
 */
export function quietRounds(values: readonly number[]): readonly number[] {
  const limit = QUIET * Math.min(...values)
  const rounds = [...values.keys()]
  const quiet = rounds.filter((round) => values[round]! <= limit)
  return quiet.length < MIN_ROUNDS ? rounds : quiet
}
