import type { Milliseconds, UnixMs } from '../../clock.js'
import { isAtOrAfter, START } from '../entry.js'
import type { EntryKind, DenylistEntry, Position } from '../entry.js'
import type { SyncReply } from './revocation-log.js'
import type { RevocableToken } from '../denylist.js'
import type { State } from './protocol.js'
import type { Walk } from './expiring-map.js'
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
  /** What earlier epochs had brought, and this log doesn't hold. One for each: to merge two would take too long a turn. */
  #formers: readonly Replica[]
  readonly #publication: Publication
  #applied = START
  /** Redis's time, as the last sync that was applied brought it. What has expired is forgotten by this clock alone. */
  #time: UnixMs
  #isRead = false
  #isSettled = false
  /** The log was read to its end since the last page was published: others may have published the next. */
  #hasLooked = false

  /**
   * @param options.page Entries a page of what is published again.
   * @param options.walk The way through what is to be published again.
   * @param last The epoch's before; it is not to be used any more.
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

  /** The state of an instance that has no lease. */
  get state(): State {
    if (!this.#isRead) return 'READING'
    return this.#isSettled ? 'LAPSED' : 'SETTLING'
  }

  /** Nothing of earlier epochs is left that this log doesn't hold. */
  get isPublished(): boolean {
    return this.#isRead && this.#publication.isDone
  }

  /** Whether it is known what the log has, others' pages included. */
  protected get mayPublish(): boolean {
    return this.#isRead && this.#hasLooked
  }

  /** Something is left to look through for what must be published again. */
  get isReviewing(): boolean {
    return this.mayPublish && this.#publication.isReviewing
  }

  get size(): number {
    return this.#formers.reduce((size, former) => size + former.size, this.#replica.size)
  }

  denial(token: RevocableToken): EntryKind | undefined {
    let denial = this.#replica.denial(token, this.#time)
    for (let i = 0; denial === undefined && i < this.#formers.length; i += 1)
      denial = this.#formers[i]!.denial(token, this.#time)
    return denial
  }

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

  /** The next page of what must be published again; empty: nothing now. */
  publish(): readonly DenylistEntry[] {
    return this.mayPublish ? this.#publication.next() : []
  }

  /** The page was written. Until the log is read up to there, it isn't published. */
  onPublish(position: Position): void {
    this.#publication.onWritten(position)
    this.#hasLooked = false
  }
}
