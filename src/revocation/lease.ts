/**
 * One instance's part in the protocol of the leased replica, as pure code: no I/O, no timers, no clock of its own. It is told
 * what was sent and what came back, and says what to send and what may be decided.
 *
 * The lease is the right to decide from the replica until a moment on the instance's own clocks. A revocation returns only
 * when every lease that doesn't know of it has lapsed, or every instance that has one has said that it knows.
 */
import type { Milliseconds, UnixMs } from '../clock.js'
import { Barrier } from './barrier.js'
import type { BarrierState } from './barrier.js'
import { reaches, START } from './entry.js'
import type { EntryKind, LogEntry, Position } from './entry.js'
import { lapseOf } from './log.js'
import type { LogSettings, NewEntry, RevokeReply, SyncReply, SyncRequest, Vouch } from './log.js'
import { Replica } from './replica.js'
import type { Revocable } from './port.js'

/** The two clocks of an instance. The wall clock catches a machine that was suspended. */
export interface Now {
  readonly monotonic: Milliseconds
  readonly wall: UnixMs
}

export type LostHistory = 'reject' | 'heal' | 'accept'

export interface InstanceSettings extends LogSettings {
  /** Random, and made anew at every start. */
  readonly id: string
  readonly onLostHistory: LostHistory
  /** Entries a page of a sync, and of what is published again. */
  readonly page: number
  /** Rules that a simulation leaves out, to see it fail. */
  readonly without?: ReadonlySet<Rule>
}

/** Each of these has a counterexample without it. */
export type Rule =
  | 'barrier'
  | 'lease'
  | 'more'
  | 'margin'
  | 'epoch'
  | 'settled'
  | 'publish'
  | 'published'
  | 'since'
  | 'restart'
  | 'own'

/** Names for people and metrics; what admits is the lease alone. */
export type State = 'OUT' | 'READING' | 'SETTLING' | 'LEASED' | 'LAPSED'

/** A sync under way. What is noted of its sending decides what its reply is worth. */
export interface Sync {
  readonly request: SyncRequest
  readonly sent: Now
  /** How many epochs the instance had entered by then. */
  readonly generation: number
  /** The revokes under way then, and what each waited for: only what is sent later can close a barrier. */
  readonly barriers: ReadonlyMap<Barrier, BarrierState>
}

export interface SyncOutcome {
  readonly granted: boolean
  /** The page brought entries, or isn't the last: acknowledge it, or read on, at once. */
  readonly again: boolean
  readonly applied: number
}

export type Decision =
  | { readonly kind: 'admitted' }
  | { readonly kind: 'denied'; readonly by: EntryKind | 'history' }
  | { readonly kind: 'no_lease' }

interface Lease extends Vouch {
  readonly sent: Now
}

export class Instance {
  readonly #settings: InstanceSettings
  #epoch = ''
  #generation = 0
  #enteredAt: Milliseconds = 0
  #applied: Position = START
  #readToEnd = false
  #settled = false
  /** What this epoch's log has brought. */
  #replica = new Replica()
  /** What earlier epochs had brought, and this log doesn't hold. */
  #former = new Replica()
  /** Goes through `#former` once an epoch, for what must be published again. */
  #review: Generator<LogEntry> | undefined
  #reviewed = false
  /** The page under way, and up to where the log must be applied until it counts as published. */
  #publishing: { readonly page: readonly LogEntry[]; position: Position | undefined } | undefined
  #lease: Lease | undefined
  /** What the last lease of an earlier epoch knew. */
  #known: Vouch | undefined
  #vouched = false
  readonly #barriers = new Set<Barrier>()

  /** W */
  readonly #lapse: Milliseconds

  constructor(settings: InstanceSettings) {
    this.#settings = settings
    this.#lapse = this.#off('margin') ? settings.lease : lapseOf(settings)
  }

  get id(): string {
    return this.#settings.id
  }

  get epoch(): string {
    return this.#epoch
  }

  /** What every `jti` minted now begins with. */
  get mark(): string {
    return this.#epoch.slice(0, 8)
  }

  get applied(): Position {
    return this.#applied
  }

  get size(): number {
    return this.#replica.size + this.#former.size
  }

  /** Whether an own revoke waits at its barrier. */
  get isWaiting(): boolean {
    return this.#barriers.size > 0
  }

  state(now: Now): State {
    if (this.#epoch === '') return 'OUT'
    if (this.isLeased(now)) return 'LEASED'
    if (!this.#readToEnd) return 'READING'
    return this.#settled ? 'LAPSED' : 'SETTLING'
  }

  isLeased(now: Now): boolean {
    if (this.#off('lease')) return this.#epoch !== ''
    return this.leaseLeft(now) > 0
  }

  /** How long the lease still lasts; 0 or less: it is over; −∞: there never was one. */
  leaseLeft({ monotonic, wall }: Now): Milliseconds {
    if (!this.#lease) return Number.NEGATIVE_INFINITY
    const { sent } = this.#lease
    const { lease } = this.#settings
    return Math.min(sent.monotonic + lease - monotonic, sent.wall + lease - wall)
  }

  /** Whether a token that is good otherwise may pass. */
  decide(token: Revocable, now: Now): Decision {
    if (!this.isLeased(now)) return { kind: 'no_lease' }
    return this.decideFromReplica(token, now)
  }

  /** The same without asking for the lease; for routes that prefer stale answers to none. */
  decideFromReplica(token: Revocable, { wall }: Now): Decision {
    // What is known first: a route that stays open in an outage lets `history` pass.
    const by = this.#replica.denial(token, wall) ?? this.#former.denial(token, wall)
    if (by !== undefined) return { kind: 'denied', by }
    return this.#isUnknown(token) ? { kind: 'denied', by: 'history' } : { kind: 'admitted' }
  }

  /** Whether it is of before the time that anybody knows of. */
  #isUnknown({ jti, iat }: Revocable): boolean {
    return !this.remembers(jti.slice(0, 8), iat * 1000)
  }

  /** Whether what was written under this mark at this time is part of the history that is known. */
  remembers(mark: string, at: UnixMs): boolean {
    if (this.#settings.onLostHistory === 'accept' || this.#off('since')) return true
    if (!this.#lease) return false
    return at > this.#lease.since || this.#lease.marks.includes(mark)
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
        applied: this.#applied,
        count: this.#settings.page,
        settle: this.#maySettle(now),
        vouch: this.#mayVouch(now) ? this.#known : undefined,
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
    for (const entry of reply.entries) this.#replica.apply(entry)
    if (reply.last && reaches(reply.last, this.#applied)) this.#applied = reply.last
    this.#settled = reply.settled
    if (!reply.more) this.#readToEnd = true
    if (request.vouch && request.epoch === reply.epoch) this.#vouched = true
    this.#onPublished()

    const granted = this.#mayGrant(reply, now)
    if (granted) this.#lease = { sent, since: reply.since, marks: reply.marks }
    for (const barrier of sync.barriers.keys()) {
      if (this.#barriers.has(barrier) && barrier.onSync(sync, reply, this.#applied))
        this.#barriers.delete(barrier)
    }
    return { granted, again: reply.more || reply.entries.length > 0, applied: reply.entries.length }
  }

  #mayGrant(reply: SyncReply, now: Now): boolean {
    const { tolerance } = this.#settings
    const isRead = !reply.more || this.#off('more')
    const isSettled = reply.settled || this.#off('settled')
    return isRead && isSettled && reply.waitOk && now.wall <= reply.time + tolerance
  }

  #meet(epoch: string, now: Now): void {
    if (epoch === this.#epoch) return
    if (this.#off('epoch') && this.#epoch !== '') this.#epoch = epoch
    else this.#enter(epoch, now)
  }

  /** A new epoch: whatever was known is of an earlier one, and must be published again; an old lease runs to its end. */
  #enter(epoch: string, { monotonic }: Now): void {
    this.#generation += 1
    this.#epoch = epoch
    this.#enteredAt = monotonic
    this.#applied = START
    this.#readToEnd = false
    this.#settled = false
    for (const entry of this.#replica.entries()) this.#former.apply(entry)
    this.#replica = new Replica()
    this.#review = undefined
    this.#reviewed = false
    this.#publishing = undefined
    if (this.#lease) this.#known = { since: this.#lease.since, marks: this.#lease.marks }
    this.#vouched = false
    for (const barrier of this.#barriers) barrier.restart()
  }

  /** W in the epoch: all leases of the one before have lapsed. */
  #hasWaited({ monotonic }: Now): boolean {
    return monotonic - this.#enteredAt >= this.#lapse
  }

  /** Whether there is nothing left to publish again. */
  get #isPublished(): boolean {
    if (this.#off('publish') || this.#off('published')) return true
    return this.#readToEnd && this.#reviewed && this.#publishing === undefined
  }

  #maySettle(now: Now): boolean {
    return (
      this.#epoch !== '' && !this.#settled && this.#hasWaited(now) && this.#readToEnd && this.#isPublished
    )
  }

  #mayVouch(now: Now): boolean {
    if (this.#settings.onLostHistory !== 'heal' || this.#vouched || !this.#known) return false
    return this.#isPublished && (this.#settled || this.#hasWaited(now))
  }

  /** Whether something is left to look through for what must be published again. */
  get isReviewing(): boolean {
    return this.#readToEnd && !this.#reviewed && this.#publishing === undefined
  }

  /**
   * The next page of what must be published again, by `revoke` with just these values; empty: nothing now. Sessions of
   * `sid` entries are to be ended before. It looks through no more entries than a page has, so that a turn stays short.
   */
  publish(now: Now): readonly LogEntry[] {
    if (!this.#readToEnd || this.#reviewed || this.#off('publish')) return []
    if (this.#publishing) return this.#publishing.position ? [] : this.#publishing.page
    this.#former.expire(now.wall)
    this.#review ??= this.#former.entries()
    const page: LogEntry[] = []
    for (let seen = 0; seen < this.#settings.page; seen += 1) {
      const { value, done } = this.#review.next()
      if (done) {
        this.#reviewed = page.length === 0
        break
      }
      if (this.#replica.covers(value)) this.#former.delete(value)
      else page.push(value)
    }
    if (page.length > 0) this.#publishing = { page, position: undefined }
    return page
  }

  /** The page was written. Until the log is read up to there, it isn't published. */
  onPublish(generation: number, reply: RevokeReply, now: Now): void {
    if (generation !== this.#generation) return
    this.#meet(reply.epoch, now)
    if (generation === this.#generation && this.#publishing) this.#publishing.position = reply.position
  }

  get generation(): number {
    return this.#generation
  }

  #onPublished(): void {
    const { page, position } = this.#publishing ?? {}
    if (!page || !position || !reaches(this.#applied, position)) return
    // Where the log capped an `until`, the former entry stays: a look-up asks both.
    for (const entry of page) if (this.#replica.covers(entry)) this.#former.delete(entry)
    this.#publishing = undefined
  }

  /** Begins a revoke of one's own. Its entries are to be run through the script; then `onRevoke`. */
  revoke(entries: readonly NewEntry[], now: Now): Barrier {
    const barrier = new Barrier(entries, now.monotonic, this.#lapse, this.#settings.without)
    this.#barriers.add(barrier)
    return barrier
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

  /** Forgets what has expired. */
  expire({ wall }: Now): void {
    this.#replica.expire(wall)
    this.#former.expire(wall)
  }

  #off(rule: Rule): boolean {
    return this.#settings.without?.has(rule) ?? false
  }
}
