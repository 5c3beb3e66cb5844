import { isAtOrAfter } from '../entry.js'
import type { DenylistEntry, Position } from '../entry.js'
import type { Walk } from './expiring-map.js'
import type { Replica } from './replica.js'

/** `next` checks at most this many times the page size, because other instances have usually published most entries. */
const MAX_CHECKED_PAGES = 4

/**
 * The entries of earlier epochs that are published again in this epoch. `next` goes once through the former replicas
 * and returns pages of the entries that this epoch's log lacks. Entries that the log has are removed from the former
 * replicas. It does no I/O.
 *
 * The instances that outlived the previous epoch (survivors) share the work. Each checks the entries in an order of its own, and skips those that others have meanwhile
 * written to the log.
 */
export class Publication {
  /** The replicas of earlier epochs that aren't fully checked yet. The first one is in progress. */
  readonly #formers: Replica[]
  readonly #replica: Replica
  readonly #pageSize: number
  readonly #walk: Walk
  #review: Generator<DenylistEntry> | undefined
  /** The page that was returned, until it counts as published. */
  #page: readonly DenylistEntry[] = []
  /** The position of the written page. The page counts as published when the log is applied up to it. */
  #position: Position | undefined

  constructor(formers: readonly Replica[], replica: Replica, pageSize: number, walk: Walk) {
    this.#formers = [...formers]
    this.#replica = replica
    this.#pageSize = pageSize
    this.#walk = walk
  }

  /** True if nothing is left to publish. */
  get isDone(): boolean {
    return this.#formers.length === 0
  }

  /** True if entries are left to check, and no page is in progress. */
  get isReviewing(): boolean {
    return !this.isDone && this.#page.length === 0
  }

  /**
   * Returns the next page. If the previous page wasn't written, returns that page without the entries that the log has
   * by now. An empty page means that there is nothing to publish now. Each call checks at most a few pages of entries,
   * so that it doesn't block the event loop for long.
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

  /** Removes the entry from the former replica if another survivor has published it. Returns true if so. */
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

  /** Completes the page if the log was read up to its position. */
  onApplied(applied: Position): void {
    const former = this.#formers[0]
    if (!former || !this.#position || !isAtOrAfter(applied, this.#position)) return
    // If the log has an entry with an earlier `until`, the former replica keeps its own. Look-ups use both replicas.
    for (const entry of this.#page) this.#removeIfLogged(former, entry)
    this.#page = []
    this.#position = undefined
  }
}
