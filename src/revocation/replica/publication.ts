import { isAtOrAfter } from '../entry.js'
import type { DenylistEntry, Position } from '../entry.js'
import type { Walk } from './expiring-map.js'
import type { Replica } from './replica.js'

/**
 * The greatest number of entries that one call of `next` checks, in pages. It is more than one page, because other
 * instances have usually published most entries already.
 */
const MAX_CHECKED_PAGES = 4

/**
 * The entries of earlier epochs that must be written to the log of the current epoch. They come from the former
 * replicas, which are the replicas of earlier epochs. `next` visits each of their entries once, and returns the entries
 * that the log lacks, in pages. An entry that the log has is removed from its former replica. This class does no I/O.
 *
 * The instances that survived the loss of the previous epoch (survivors) share the work. Each survivor checks the
 * entries in a different order (`walk`), and skips those that another survivor has already written to the log.
 */
export class Publication {
  /** The former replicas that aren't fully checked yet. The first one is being checked. */
  readonly #formers: Replica[]
  /** The replica of the current epoch: the log, as far as this instance has applied it. */
  readonly #replica: Replica
  readonly #pageSize: number
  readonly #walk: Walk
  #review: Generator<DenylistEntry> | undefined
  /** The page that `next` returned last. Empty as soon as it is published. */
  #page: readonly DenylistEntry[] = []
  /**
   * The position in the log at which the page was written. `undefined` if it wasn't written. The page is published
   * when this instance has applied the log up to this position.
   */
  #position: Position | undefined

  constructor(formers: readonly Replica[], replica: Replica, pageSize: number, walk: Walk) {
    this.#formers = [...formers]
    this.#replica = replica
    this.#pageSize = pageSize
    this.#walk = walk
  }

  /** True if all former replicas were fully checked, and all pages were published. */
  get isDone(): boolean {
    return this.#formers.length === 0
  }

  /** True if entries are left to check, and no page waits to be written or applied. */
  get isReviewing(): boolean {
    return !this.isDone && this.#page.length === 0
  }

  /**
   * Returns the next page of entries to write. If the previous page wasn't written, returns it again, without the
   * entries that the log has by now. Returns an empty page while the previous one isn't applied, and also if none of
   * the entries that this call checked is missing from the log: `isDone` tells whether more are left. Each call checks
   * at most `MAX_CHECKED_PAGES` pages, and so doesn't block the event loop for long.
   */
  next(): readonly DenylistEntry[] {
    const former = this.#formers[0]
    if (!former || this.#position) return []
    this.#page = this.#page.filter((entry) => !this.skips(former, entry))
    if (this.#page.length > 0) return this.#page
    const page: DenylistEntry[] = []
    this.#review ??= former.entries(this.#walk)
    for (let seen = 0; seen < MAX_CHECKED_PAGES * this.#pageSize && page.length < this.#pageSize; seen += 1) {
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

  /** Moves on to the next former replica. */
  #finish(): void {
    this.#formers.shift()
    this.#review = undefined
  }

  /** Returns true if the entry needs no publication because the log has it, and removes it from the former replica. */
  protected skips(former: Replica, entry: DenylistEntry): boolean {
    return this.#removeIfLogged(former, entry)
  }

  /** Removes the entry from the former replica if the log has it. Returns true if it does. */
  #removeIfLogged(former: Replica, entry: DenylistEntry): boolean {
    if (!this.#replica.covers(entry)) return false
    former.delete(entry)
    return true
  }

  /** Records the position at which the page was written to the log. */
  onWritten(position: Position): void {
    if (this.#page.length > 0) this.#position = position
  }

  /** Marks the page as published if this instance has applied the log up to the position of the page. */
  onApplied(applied: Position): void {
    const former = this.#formers[0]
    if (!former || !this.#position || !isAtOrAfter(applied, this.#position)) return
    // If the log's entry ends earlier (`until`), the former replica keeps its longer one. Look-ups use both replicas.
    for (const entry of this.#page) this.#removeIfLogged(former, entry)
    this.#page = []
    this.#position = undefined
  }
}
