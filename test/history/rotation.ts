/** Rules of rotation: one successor per refresh token, and no accusation of theft without one. */
import type { Operation } from './history.js'
import { succeeded } from './history.js'

/** Pairs of successful refreshes by one token that were given different successors. */
export function* findSuccessors(
  uses: Iterable<readonly Operation[]>,
): Generator<{ first: Operation; second: Operation }> {
  for (const operations of uses) {
    const given = operations.filter((one) => succeeded(one) && one.obtained)
    const first = given[0]
    const second = given.find(({ obtained }) => obtained!.refresh !== first!.obtained!.refresh)
    if (first && second) yield { first, second }
  }
}

/**
 * A token may be called reused if an earlier use may have rotated it longer ago than the grace, or if its successor
 * had been used.
 */
export function isExcusableReuse(
  operation: Operation,
  uses: readonly Operation[],
  all: ReadonlyMap<string, readonly Operation[]>,
  grace: number,
): boolean {
  const others = uses.filter((one) => one !== operation && one.invokedAt < operation.completedAt)
  if (others.some(({ invokedAt }) => operation.completedAt - invokedAt >= grace)) return true
  const successors = others.flatMap(({ obtained }) => (obtained ? [obtained.refresh] : []))
  return successors.some((one) => all.get(one)?.some(({ invokedAt }) => invokedAt < operation.completedAt))
}
