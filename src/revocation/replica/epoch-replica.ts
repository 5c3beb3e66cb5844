import type { Milliseconds, UnixMs } from '../../clock.js'
import { isAtOrAfter, START } from '../entry.js'
import type { DenylistEntry, Position } from '../entry.js'
import type { SyncReply } from './revocation-log.js'
import type { CoveringKind, RevocableToken } from '../denylist.js'
import type { State } from './protocol.js'
import type { Walk } from './expiring-map.js'
import { Publication } from './publication.js'
import { Replica } from './replica.js'

/**
 * The denylist entries that an instance knows in one epoch: those from the epoch's log, and those from earlier epochs,
 * which it must publish again. Pure code.
 */
export class EpochReplica {
  /** The time at which the instance entered the epoch, by the monotonic clock. */
  readonly enteredAt: Milliseconds
  /** The entries that were read from this epoch's log. */
  readonly #replica = new Replica()
  /**
   * The entries of earlier epochs that aren't known to be in this log. There is one replica per epoch, because merging
   * two would block the event loop for too long.
   */
  #formers: readonly Replica[]
  readonly #publication: Publication
  #applied = START
  /** The time of Redis in the last applied sync. Entries expire by this clock alone. */
  #time: UnixMs
  #isRead = false
  #isSettled = false
  /**
   * True if the log was read to its end after the last page was written. Until then, others may have published the
   * entries of the next page.
   */
  #hasLooked = false

  /**
   * @param options.page The number of entries per page that is published again.
   * @param options.walk The order in which entries are checked and published again.
   * @param last The replica of the previous epoch, which must not be used any more.
   */
  constructor(
    enteredAt: Milliseconds,
    { page, walk }: { readonly page: number; readonly walk: Walk },
    last?: EpochReplica,
  ) {
    this.enteredAt = enteredAt
    this.#formers = last ? [last.#replica, ...last.#formers].filter(({ size }) => size > 0) : []
    this.#time = last ? last.#time : 0
    this.#publication = this.newPublication(this.#formers, this.#replica, page, walk)
  }

  protected newPublication(...args: ConstructorParameters<typeof Publication>): Publication {
    return new Publication(...args)
  }

  /** The position up to which the log was read. */
  get applied(): Position {
    return this.#applied
  }

  /** True if the log was read to its end at least once. */
  get isRead(): boolean {
    return this.#isRead
  }

  get isSettled(): boolean {
    return this.#isSettled
  }

  /** The state of an instance that has no lease. */
  get state(): State {
    if (!this.#isRead) return 'READING'
    return this.#isSettled ? 'LAPSED' : 'SETTLING'
  }

  /** True if the log was read to its end, and no entry of an earlier epoch is left to publish. */
  get isPublished(): boolean {
    return this.#isRead && this.#publication.isDone
  }

  /** True if the content of the log is known, including the pages of others. */
  protected get mayPublish(): boolean {
    return this.#isRead && this.#hasLooked
  }

  /** True if entries of earlier epochs are left to check, and the log was read far enough to check them now. */
  get isReviewing(): boolean {
    return this.mayPublish && this.#publication.isReviewing
  }

  get size(): number {
    return this.#formers.reduce((size, former) => size + former.size, this.#replica.size)
  }

  /**
   * Returns the kind of an entry that covers the token, or `undefined`. A `sid` is `evicted` if any of the replicas has it
   * so. The part of the log that was read may not yet have it.
   */
  findKind(token: RevocableToken): CoveringKind | undefined {
    let kind = this.#replica.findKind(token, this.#time)
    for (let i = 0; (kind === undefined || kind === 'sid') && i < this.#formers.length; i += 1) {
      const former = this.#formers[i]!.findKind(token, this.#time)
      if (kind === undefined || former === 'evicted') kind = former
    }
    return kind
  }

  /** Returns true if this epoch's log, as far as it was read, covers all tokens that the entry covers. */
  isInLog(entry: DenylistEntry): boolean {
    return this.#replica.covers(entry)
  }

  /** Applies a page of the log, and removes expired entries. */
  onSync({ entries, last, settled, more, time }: SyncReply): void {
    for (const entry of entries) this.#replica.apply(entry)
    this.#time = time
    this.#replica.expire(time)
    for (const former of this.#formers) former.expire(time)
    if (last && isAtOrAfter(last, this.#applied)) this.#applied = last
    this.#isSettled = settled
    if (!more) this.#isRead = true
    this.#hasLooked = !more
    this.#publication.onApplied(this.#applied)
    if (this.#formers.some(({ size }) => size === 0))
      this.#formers = this.#formers.filter(({ size }) => size > 0)
  }

  /** Returns the next page of entries to publish again. The page is empty if there is nothing to publish now. */
  publish(): readonly DenylistEntry[] {
    return this.mayPublish ? this.#publication.next() : []
  }

  /** Records that the page was written. It counts as published when the log was read up to its position. */
  onPublish(position: Position): void {
    this.#publication.onWritten(position)
    this.#hasLooked = false
  }
}
