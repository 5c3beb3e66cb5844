/** Several measurements of one thing. */
export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = (sorted.length - 1) / 2
  const [low = Number.NaN, high = low] = [sorted[Math.floor(middle)], sorted[Math.ceil(middle)]]
  return { median: (low + high) / 2, min: sorted[0] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN }
}

/**
 * What one costs in terms of another: the ratio of each round, as the two were then measured within seconds, when the
 * machine had much the same else to do.
 */
export function ratioOf(values: readonly number[], to: readonly number[]): Spread {
  return spreadOf(values.map((value, round) => value / (to[round] ?? Number.NaN)))
}
