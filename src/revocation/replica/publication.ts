import { isAtOrAfter } from '../entry.js'
import type { DenylistEntry, Position } from '../entry.js'
import type { Walk } from './expiring-map.js'
import type { Replica } from './replica.js'

/** How many entries a turn looks at for each that a page may have: most of them others have published already. */
const LOOKED_AT = 4

/**
 * Publishing again, once in an epoch: goes through what earlier epochs had brought, and gives out in pages what this
 * epoch's log doesn't hold. What the log holds leaves the former replicas. Pure code.
 *
 * Survivors share the work: each takes a walk of its own, and skips what this epoch's log has brought meanwhile.
 */
export class Publication {
  /** Those that weren't looked through yet; the first is being so. */
  readonly #formers: Replica[]
  readonly #replica: Replica
  readonly #pageSize: number
  readonly #walk: Walk
  #review: Generator<DenylistEntry> | undefined
  /** The page under way, and up to where the log must be applied until it counts as published. */
  #page: readonly DenylistEntry[] = []
  #position: Position | undefined

  constructor(formers: readonly Replica[], replica: Replica, pageSize: number, walk: Walk) {
    this.#formers = [...formers]
    this.#replica = replica
    this.#pageSize = pageSize
    this.#walk = walk
  }

  /** Whether there is nothing left to publish. */
  get isDone(): boolean {
    return this.#formers.length === 0
  }

  /** Whether something is left to look through, and no page is under way. */
  get isReviewing(): boolean {
    return !this.isDone && this.#page.length === 0
  }

  /**
   * The next page, or the one that wasn't written yet, less what the log has by now; empty: nothing now. It looks at a
   * few pages' entries at the most, so that a turn stays short.
   */
  next(): readonly DenylistEntry[] {
    const former = this.#formers[0]
    if (!former || this.#position) return []
    this.#page = this.#page.filter((entry) => !this.skips(former, entry))
    if (this.#page.length > 0) return this.#page
    const page: DenylistEntry[] = []
    this.#review ??= former.entries(this.#walk)
    for (let seen = 0; seen < LOOKED_AT * this.#pageSize && page.length < this.#pageSize; seen += 1) {
      const { value, done } = this.#review.next()
      if (done) {
        if (page.length === 0) this.#finish()
        break
      }
      if (!this.skips(former, value)) page.push(value)
    }
    this.#page = page
    return page
  }

  /** This former replica was looked through to its end. */
  #finish(): void {
    this.#formers.shift()
    this.#review = undefined
  }

  /** Returns true if another survivor has published the entry. */
  protected skips(former: Replica, entry: DenylistEntry): boolean {
    return this.#leaves(former, entry)
  }

  /** Whether the log holds the entry: then it leaves the former replica. */
  #leaves(former: Replica, entry: DenylistEntry): boolean {
    if (!this.#replica.covers(entry)) return false
    former.delete(entry)
    return true
  }

  /** The page was written to the log. */
  onWritten(position: Position): void {
    if (this.#page.length > 0) this.#position = position
  }

  /** The log was read up to here. */
  onApplied(applied: Position): void {
    const former = this.#formers[0]
    if (!former || !this.#position || !isAtOrAfter(applied, this.#position)) return
    // Where the log capped an `until`, the former entry stays: a look-up asks both.
    for (const entry of this.#page) this.#leaves(former, entry)
    this.#page = []
    this.#position = undefined
  }
}
