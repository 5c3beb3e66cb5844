import { reaches } from './entry.js'
import type { LogEntry, Position } from './entry.js'
import type { Replica } from './replica.js'

/**
 * Publishing again, once in an epoch: goes through what earlier epochs had brought, and gives out in pages what this
 * epoch's log doesn't hold. What the log holds leaves the former replica. Pure code.
 */
export class Publication {
  readonly #former: Replica
  readonly #replica: Replica
  readonly #pageSize: number
  #review: Generator<LogEntry> | undefined
  #isReviewed = false
  /** The page under way, and up to where the log must be applied until it counts as published. */
  #page: readonly LogEntry[] | undefined
  #position: Position | undefined

  constructor(former: Replica, replica: Replica, pageSize: number) {
    this.#former = former
    this.#replica = replica
    this.#pageSize = pageSize
  }

  /** Whether there is nothing left to publish. */
  get isDone(): boolean {
    return this.#isReviewed && this.#page === undefined
  }

  /** Whether something is left to look through, and no page is under way. */
  get isReviewing(): boolean {
    return !this.#isReviewed && this.#page === undefined
  }

  /**
   * The next page, or the one that wasn't written yet; empty: nothing now. It looks through no more entries than a page
   * has, so that a turn stays short.
   */
  next(): readonly LogEntry[] {
    if (this.#page) return this.#position ? [] : this.#page
    if (this.#isReviewed) return []
    this.#review ??= this.#former.entries()
    const page: LogEntry[] = []
    for (let seen = 0; seen < this.#pageSize; seen += 1) {
      const { value, done } = this.#review.next()
      if (done) {
        this.#isReviewed = page.length === 0
        break
      }
      if (this.#replica.covers(value)) this.#former.delete(value)
      else page.push(value)
    }
    if (page.length > 0) this.#page = page
    return page
  }

  /** The page was written to the log. */
  onWritten(position: Position): void {
    if (this.#page) this.#position = position
  }

  /** The log was read up to here. */
  onApplied(applied: Position): void {
    if (!this.#page || !this.#position || !reaches(applied, this.#position)) return
    // Where the log capped an `until`, the former entry stays: a look-up asks both.
    for (const entry of this.#page) if (this.#replica.covers(entry)) this.#former.delete(entry)
    this.#page = undefined
    this.#position = undefined
  }
}
