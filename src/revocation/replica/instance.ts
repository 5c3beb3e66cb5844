/**
 * One instance's part in the protocol of the leased replica, as pure code: no I/O, no timers, no clock of its own. It
 * is told what was sent and what came back, and says what to send and what may be decided.
 *
 * The lease is the right to decide from the replica until a moment on the instance's own clocks. A revocation returns
 * only when every lease that doesn't know of it has lapsed, or every instance that has one has said that it knows.
 */
import type { Milliseconds, UnixMs } from '../../clock.js'
import { Barrier } from './barrier.js'
import type { DenylistEntry, Position } from '../entry.js'
import { EpochReplica } from './epoch-replica.js'
import { createWalk } from './expiring-map.js'
import { IssueLimit } from './issue-limit.js'
import { Lease, jtiPrefix } from './lease.js'
import { leaseLapse } from './revocation-log.js'
import type { NewEntry, RevokeReply, SyncReply } from './revocation-log.js'
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

  /** What every `jti` minted now begins with. */
  get mark(): string {
    return jtiPrefix(this.#epoch)
  }

  get applied(): Position {
    return this.#replica.applied
  }

  /** From when on the lease knows the history; undefined: there never was one. */
  get since(): UnixMs | undefined {
    return this.#lease?.history.since
  }

  get size(): number {
    return this.#replica.size
  }

  /** Whether an own revoke waits at its barrier. */
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

  /** How long the lease still lasts; 0 or less: it is over; −∞: there never was one. */
  leaseLeft(now: Now): Milliseconds {
    return this.#lease?.left(now) ?? Number.NEGATIVE_INFINITY
  }

  /** Whether a token that is good otherwise may pass. */
  decide(token: RevocableToken, now: Now): Decision {
    if (!this.isLeased(now)) return NO_LEASE
    return this.decideFromReplica(token)
  }

  /** The same without asking for the lease; for routes that prefer stale answers to none. */
  decideFromReplica(token: RevocableToken): Decision {
    // What is known first: a route that stays open in an outage lets `history` pass.
    const by = this.#replica.denial(token)
    if (by !== undefined) return { kind: 'denied', by }
    // Not of before the time that anybody knows of.
    return this.remembers(token.jti, token.iat * 1000) ? ADMITTED : { kind: 'denied', by: 'history' }
  }

  /**
   * Whether what was written at this time, with an id that begins with its mark, is part of the history that is
   * known.
   */
  remembers(id: string, at: UnixMs): boolean {
    if (this.#settings.onLostHistory === 'accept') return true
    return this.#lease?.remembers(id, at) ?? false
  }

  /** The latest `iat` that a token may have. */
  latestIssue(now: Now): UnixMs {
    return this.#issueLimit.at(now, this.isLeased(now))
  }

  /** The next sync to send. Only one may be under way. */
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

  /** A sync's reply. One that comes too late, or was asked for in another epoch, is as if it were lost. */
  onSync(sync: Sync, reply: SyncReply, now: Now): SyncOutcome {
    const nothing = { granted: false, again: false, applied: 0 }
    const { sent, request } = sync
    if (sync.generation !== this.#generation || now.monotonic - sent.monotonic > this.#settings.lease)
      return nothing
    this.#meet(reply.epoch, now)
    this.#replica.onSync(reply)
    this.#issueLimit.onSync(sent, reply.time)
    this.#vouching.onSync(request, reply)

    const granted = this.mayGrant(reply, now)
    if (granted) this.#lease = new Lease(sent, this.#settings, reply)
    for (const barrier of sync.barriers.keys()) {
      if (this.#barriers.has(barrier) && barrier.onSync(sync, reply, this.applied))
        this.#barriers.delete(barrier)
    }
    return { granted, again: reply.more || reply.entries.length > 0, applied: reply.entries.length }
  }

  protected mayGrant({ more, settled, waitOk, time }: SyncReply, now: Now): boolean {
    return !more && settled && waitOk && now.wall <= time + this.#settings.tolerance
  }

  #meet(epoch: string, now: Now): void {
    if (epoch === this.#epoch) return
    this.#epoch = epoch
    this.enter(now)
  }

  /**
   * A new epoch: whatever was known is of an earlier one, and must be published again; an old lease runs to its end.
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

  /** W */
  protected get lapse(): Milliseconds {
    return leaseLapse(this.#settings)
  }

  /** W in the epoch: all leases of the one before have lapsed. */
  #hasWaited({ monotonic }: Now): boolean {
    return monotonic - this.#replica.enteredAt >= this.lapse
  }

  /** Whether there is nothing left to publish again. */
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

  /** Whether something is left to look through for what must be published again. */
  get isReviewing(): boolean {
    return this.#replica.isReviewing
  }

  /**
   * The next page of what must be published again, with just these values; empty: nothing now, or the log is to be read
   * first. Sessions of `sid` entries are to be ended before.
   */
  publish(): readonly DenylistEntry[] {
    return this.#replica.publish()
  }

  /** The page was written. Until the log is read up to there, it isn't published. */
  onPublish(generation: number, reply: RevokeReply, now: Now): void {
    if (generation !== this.#generation) return
    this.#meet(reply.epoch, now)
    if (generation === this.#generation) this.#replica.onPublish(reply.position)
  }

  get generation(): number {
    return this.#generation
  }

  /** Begins a revoke of one's own. Its entries are to be run through the script; then `onRevoke`. */
  revoke(entries: readonly NewEntry[], now: Now): Barrier {
    const barrier = this.newBarrier(entries, now.monotonic)
    this.#barriers.add(barrier)
    return barrier
  }

  protected newBarrier(entries: readonly NewEntry[], now: Milliseconds): Barrier {
    return new Barrier(entries, now, this.lapse)
  }

  /** The script's reply to a revoke: only now does its waiting begin. */
  onRevoke(barrier: Barrier, generation: number, reply: RevokeReply, now: Now): void {
    if (generation !== this.#generation) return barrier.restart()
    this.#meet(reply.epoch, now)
    barrier.onRevoke(reply, now.monotonic, this.id)
  }

  /** Gives a revoke up: its caller was told so. */
  abandon(barrier: Barrier): void {
    this.#barriers.delete(barrier)
  }
}
