import type { Milliseconds, UnixMs } from '../clock.js'
import { reaches, START } from './entry.js'
import type { EntryKind, LogEntry, Position } from './entry.js'
import type { SyncReply } from './log.js'
import type { Revocable } from './port.js'
import { Publication } from './publication.js'
import { Replica } from './replica.js'

/**
 * What an instance has of one epoch's log, and what it knows from earlier ones and must publish again in this. Pure
 * code.
 */
export class EpochReplica {
  /** By the monotonic clock. */
  readonly enteredAt: Milliseconds
  /** What this epoch's log has brought. */
  readonly #replica = new Replica()
  /** What earlier epochs had brought, and this log doesn't hold. */
  readonly #former: Replica
  readonly #publication: Publication
  #applied = START
  /** Redis's time, as the last sync that was applied brought it. What has expired is forgotten by this clock alone. */
  #time: UnixMs
  #isRead = false
  #isSettled = false

  /**
   * @param page Entries a page of what is published again.
   * @param last The epoch's before; it is not to be used any more.
   */
  constructor(enteredAt: Milliseconds, page: number, last?: EpochReplica) {
    this.enteredAt = enteredAt
    this.#former = last ? last.#replica.with(last.#former) : new Replica()
    this.#time = last ? last.#time : 0
    this.#publication = new Publication(this.#former, this.#replica, page)
  }

  /** Up to where the log was read. */
  get applied(): Position {
    return this.#applied
  }

  /** It was read to its end, once. */
  get isRead(): boolean {
    return this.#isRead
  }

  get isSettled(): boolean {
    return this.#isSettled
  }

  /** Nothing of earlier epochs is left that this log doesn't hold. */
  get isPublished(): boolean {
    return this.#isRead && this.#publication.isDone
  }

  /** Something is left to look through for what must be published again. */
  get isReviewing(): boolean {
    return this.#isRead && this.#publication.isReviewing
  }

  get size(): number {
    return this.#replica.size + this.#former.size
  }

  denial(token: Revocable): EntryKind | undefined {
    return this.#replica.denial(token, this.#time) ?? this.#former.denial(token, this.#time)
  }

  onSync({ entries, last, settled, more, time }: SyncReply): void {
    for (const entry of entries) this.#replica.apply(entry)
    this.#time = time
    this.#replica.expire(time)
    this.#former.expire(time)
    if (last && reaches(last, this.#applied)) this.#applied = last
    this.#isSettled = settled
    if (!more) this.#isRead = true
    this.#publication.onApplied(this.#applied)
  }

  /** The next page of what must be published again; empty: nothing now. */
  publish(): readonly LogEntry[] {
    return this.#isRead ? this.#publication.next() : []
  }

  /** The page was written. Until the log is read up to there, it isn't published. */
  onPublish(position: Position): void {
    this.#publication.onWritten(position)
  }
}
