/**
 * One instance's part in the protocol of the leased replica. It is pure code without I/O, timers or a clock of its own.
 * Its caller passes in what was sent and received. It returns what to send next, and the decisions about tokens.
 *
 * The lease is the right to decide from the replica until a point in time on the instance's own clocks. A revoke
 * returns only when no instance can have a lease without knowing the entries. Either all leases from before the entries
 * have ended, or every instance that may still have one has acknowledged the entries.
 */
import type { Milliseconds, UnixMs } from '../../clock.js'
import { Barrier } from './revoke-barrier.js'
import { isAtOrAfter } from '../entry.js'
import type { DenylistEntry, Position } from '../entry.js'
import { EpochReplica } from './epoch-replica.js'
import { createWalk } from './expiring-map.js'
import { IssueLimit } from './issue-limit.js'
import { Lease, jtiPrefix } from './lease.js'
import { LeftEpochs } from './left-epochs.js'
import { leaseLapse } from './revocation-log.js'
import type { EntryToWrite } from '../denylist.js'
import type { RevokeReply, SyncReply } from './revocation-log.js'
import type { RevocableToken } from '../denylist.js'
import { ADMITTED, NO_LEASE } from './protocol.js'
import type { Decision, InstanceSettings, Now, State, Sync, SyncOutcome } from './protocol.js'
import { Vouching } from './vouching.js'

export type * from './protocol.js'

export class Instance {
  readonly id: string
  readonly #settings: InstanceSettings
  #epoch = ''
  #generation = 0
  #replica: EpochReplica
  #lease: Lease | undefined
  readonly #issueLimit: IssueLimit
  readonly #vouching: Vouching
  readonly #leftEpochs = new LeftEpochs()
  readonly #barriers = new Set<Barrier>()

  constructor(settings: InstanceSettings) {
    this.id = settings.id
    this.#settings = settings
    this.#vouching = new Vouching(settings.onLostHistory)
    this.#issueLimit = new IssueLimit(settings.tolerance)
    this.#replica = this.newReplica(0, { page: settings.page, walk: createWalk(settings.id) })
  }

  get epoch(): string {
    return this.#epoch
  }

  /** The jti prefix of the current epoch. Every `jti` that is issued now begins with it. */
  get jtiPrefix(): string {
    return jtiPrefix(this.#epoch)
  }

  get applied(): Position {
    return this.#replica.applied
  }

  /** The start of the history that is completely known by the last lease. `undefined` if there was never a lease. */
  get since(): UnixMs | undefined {
    return this.#lease?.history.since
  }

  get size(): number {
    return this.#replica.size
  }

  /** True while a revoke that was called on this instance waits at its barrier. */
  get isWaiting(): boolean {
    return this.#barriers.size > 0
  }

  state(now: Now): State {
    if (this.#epoch === '') return 'OUT'
    if (this.isLeased(now)) return 'LEASED'
    return this.#replica.state
  }

  isLeased(now: Now): boolean {
    return this.leaseLeft(now) > 0
  }

  /**
   * Returns the remaining time of the lease in ms. It is 0 or less if the lease has ended, and −∞ if there was never a
   * lease or the wall clock was set back by more than τ.
   */
  leaseLeft(now: Now): Milliseconds {
    return this.#lease?.left(now) ?? Number.NEGATIVE_INFINITY
  }

  /** Decides about a token that has passed all other checks. Without a lease, the decision is `no_lease`. */
  decide(token: RevocableToken, now: Now): Decision {
    if (!this.isLeased(now)) return NO_LEASE
    return this.decideFromReplica(token)
  }

  /** Decides without checking the lease. For routes that prefer a stale decision to a 503 response. */
  decideFromReplica(token: RevocableToken): Decision {
    // Entries come before the history: with `onOutage: open`, `history` is ignored, and would hide the entry.
    const by = this.#replica.findKind(token)
    if (by !== undefined) return { kind: 'revoked', by }
    // A token of unknown history may have been revoked by an entry that was lost.
    return this.remembers(token.jti, token.iat * 1000) ? ADMITTED : { kind: 'revoked', by: 'history' }
  }

  /**
   * Returns true if the known history covers a token or record from this time, and always with `onLostHistory: accept`.
   * `id` is its `jti`, or the jti prefix of the epoch in which it was written.
   */
  remembers(id: string, at: UnixMs): boolean {
    if (this.#settings.onLostHistory === 'accept') return true
    return this.#lease?.remembers(id, at) ?? false
  }

  /** Returns the latest `iat` (in ms) that a token may have. */
  latestIssue(now: Now): UnixMs {
    return this.#issueLimit.at(now, this.isLeased(now))
  }

  /** Returns the next sync to send. Only one may be in progress. With `who`, its reply lists the members. */
  sync(now: Now, { who = this.isWaiting }: { who?: boolean } = {}): Sync {
    const barriers = new Map([...this.#barriers].map((barrier) => [barrier, barrier.state]))
    return {
      sent: now,
      generation: this.#generation,
      barriers,
      request: {
        instance: this.id,
        epoch: this.#epoch,
        applied: this.applied,
        count: this.#settings.page,
        settle: this.#maySettle(now),
        vouch: this.#mayVouch(now) ? this.#vouching.due : undefined,
        dead: [...barriers.keys()].flatMap((barrier) => barrier.deadAt(now.monotonic)),
        who,
      },
    }
  }

  /**
   * Applies the reply to a sync. A reply is ignored if it arrives more than L (the setting `lease`)
   * after its sync was sent, if the instance has entered another epoch since then, or if it comes from an epoch that
   * the instance has left.
   */
  onSync(sync: Sync, reply: SyncReply, now: Now): SyncOutcome {
    const nothing = { granted: false, again: false, applied: 0, isLeftEpoch: false }
    const { sent, request } = sync
    if (sync.generation !== this.#generation || now.monotonic - sent.monotonic > this.#settings.lease)
      return nothing
    if (!this.#meet(reply.epoch, now)) return { ...nothing, isLeftEpoch: true }
    this.#replica.onSync(reply)
    this.#issueLimit.onSync(sent, reply.time)
    this.#vouching.onSync(request, reply)

    const granted = this.mayGrant(reply, now)
    if (granted) this.#lease = new Lease(sent, this.#settings, reply)
    for (const barrier of sync.barriers.keys()) {
      if (this.#barriers.has(barrier) && barrier.onSync(sync, reply, this.applied))
        this.#barriers.delete(barrier)
    }
    return {
      ...nothing,
      granted,
      again: reply.more || reply.entries.length > 0,
      applied: reply.entries.length,
    }
  }

  protected mayGrant({ more, settled, waitOk, time }: SyncReply, now: Now): boolean {
    return !more && settled && waitOk && now.wall <= time + this.#settings.tolerance
  }

  /** Enters the epoch of a reply if it is a new one. Returns false if the reply must be ignored. */
  #meet(epoch: string, now: Now): boolean {
    if (this.refuses(epoch, now)) return false
    if (epoch === this.#epoch) return true
    this.#leftEpochs.onChange(this.#epoch, epoch)
    this.#epoch = epoch
    this.enter(now)
    return true
  }

  protected refuses(epoch: string, { monotonic }: Now): boolean {
    return this.#leftEpochs.refuses(epoch, monotonic)
  }

  /**
   * Enters a new epoch. All entries known so far belong to an earlier epoch, and must be published again. A lease of
   * the earlier epoch stays valid until its end.
   */
  protected enter({ monotonic }: Now): void {
    this.#generation += 1
    const { page, id } = this.#settings
    this.#replica = this.newReplica(monotonic, { page, walk: createWalk(id) }, this.#replica)
    this.#vouching.enter(this.#lease)
    for (const barrier of this.#barriers) barrier.restart()
  }

  protected newReplica(...args: ConstructorParameters<typeof EpochReplica>): EpochReplica {
    return new EpochReplica(...args)
  }

  /** W, the time after which every lease that was granted before has ended, on any clock. */
  protected get lapse(): Milliseconds {
    return leaseLapse(this.#settings)
  }

  /** Returns true if the instance has been in the epoch for W. All leases of earlier epochs have ended then. */
  #hasWaited({ monotonic }: Now): boolean {
    return monotonic - this.#replica.enteredAt >= this.lapse
  }

  /** True if no entry is left to be published again. */
  protected get isPublished(): boolean {
    return this.#replica.isPublished
  }

  #maySettle(now: Now): boolean {
    const { isRead, isSettled } = this.#replica
    return this.#epoch !== '' && !isSettled && this.#hasWaited(now) && isRead && this.isPublished
  }

  #mayVouch(now: Now): boolean {
    return this.isPublished && (this.#replica.isSettled || this.#hasWaited(now))
  }

  /** True if entries of earlier epochs are left to check. Some of them may have to be published again. */
  get isReviewing(): boolean {
    return this.#replica.isReviewing
  }

  /**
   * Returns the next page of entries to publish again, with exactly these values. The page is empty if there is nothing
   * to publish now, or if the log must be read first. The caller must end the sessions of `sid` entries before it
   * writes the page.
   */
  publish(): readonly DenylistEntry[] {
    return this.#replica.publish()
  }

  /** Records that the page was written. It counts as published when the log was read up to its position. */
  onPublish(generation: number, reply: RevokeReply, now: Now): void {
    if (generation !== this.#generation) return
    if (this.#meet(reply.epoch, now) && generation === this.#generation)
      this.#replica.onPublish(reply.position)
  }

  /** The number of epochs that the instance has entered. */
  get generation(): number {
    return this.#generation
  }

  /** Begins a revoke of entries. The caller must write them with `RevocationLog.revoke`, then call `onRevoke`. */
  revoke(entries: readonly EntryToWrite[], now: Now): Barrier {
    const barrier = this.newBarrier(entries, now.monotonic)
    this.#barriers.add(barrier)
    return barrier
  }

  protected newBarrier(entries: readonly EntryToWrite[], now: Milliseconds): Barrier {
    return new Barrier(entries, now, this.lapse)
  }

  /**
   * Returns the entries of a revoke that must be written. An entry is left out if this epoch's log has one that covers
   * the same tokens, from an earlier revoke that may have failed, or may still be waiting.
   */
  selectMissing(entries: readonly EntryToWrite[]): readonly EntryToWrite[] {
    return entries.filter(
      ({ kind, id, enough }) =>
        enough === undefined || !this.#replica.isInLog({ kind, id, before: 0, until: enough }),
    )
  }

  /**
   * Applies the script's reply to a revoke. The wait at the barrier is measured from this call. If the instance has
   * entered another epoch since the script was called, the entries must be written again.
   *
   * @param isPartial True if some entries weren't written, because this epoch's log has them. The barrier then waits
   *   until all instances have read as much of the log as this one.
   */
  onRevoke(
    barrier: Barrier,
    generation: number,
    reply: RevokeReply,
    now: Now,
    { isPartial = false } = {},
  ): void {
    if (generation !== this.#generation || !this.#meet(reply.epoch, now)) return barrier.restart()
    // A new epoch has none of the entries that were left out.
    if (isPartial && generation !== this.#generation) return barrier.restart()
    const position = isPartial ? this.holdBack(reply.position) : reply.position
    barrier.onRevoke({ ...reply, position }, now.monotonic, this.id)
  }

  /** Returns the later of the position of the written entries and our own, which covers the entries left out. */
  protected holdBack(written: Position): Position {
    return isAtOrAfter(written, this.applied) ? written : this.applied
  }

  /** Removes the barrier of a revoke that has returned or failed. */
  abandon(barrier: Barrier): void {
    this.#barriers.delete(barrier)
  }
}
