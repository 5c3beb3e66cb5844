/**
 * The barrier of one revoke, which is the wait before the revoke may return. `closed` means that the wait is over: no
 * instance can have a lease without knowing the entries. Pure code.
 */
import type { Milliseconds } from '../../clock.js'
import { isAtOrAfter } from '../entry.js'
import type { Position } from '../entry.js'
import type { EntryToWrite } from '../denylist.js'
import type { RevokeReply, SyncReply } from './revocation-log.js'
import type { Sync } from './protocol.js'

export type BarrierState =
  /** The caller must write the entries to the log: at the start, and again in a new epoch, which may have lost them. */
  | { readonly kind: 'writing' }
  | {
      readonly kind: 'waiting'
      readonly epoch: string
      readonly position: Position
      /** The time at which the script's reply arrived, by the monotonic clock. */
      readonly since: Milliseconds
      /**
       * The other members that may have a lease without knowing the entries: by id, the version of the last sync that
       * each had sent when the entries were written. Members that have acknowledged or left are removed.
       */
      readonly awaited: Map<string, number>
    }
  | { readonly kind: 'closed'; readonly by: 'acknowledgement' | 'lapse' }

export class Barrier {
  readonly entries: readonly EntryToWrite[]
  /**
   * The time at which the revoke fails if the barrier is still open: 2W + 1 s after the start, by the monotonic clock.
   */
  readonly deadline: Milliseconds
  readonly #lapse: Milliseconds
  #state: BarrierState = { kind: 'writing' }

  /** @param lapse W: after this time, every lease that exists now has ended. */
  constructor(entries: readonly EntryToWrite[], now: Milliseconds, lapse: Milliseconds) {
    this.entries = entries
    this.#lapse = lapse
    this.deadline = now + 2 * lapse + 1_000
  }

  get state(): BarrierState {
    return this.#state
  }

  /** Makes the caller write the entries again, because a new epoch may have lost them. */
  restart(): void {
    this.#state = { kind: 'writing' }
  }

  /** Begins the wait for the members that the script's reply lists, other than the instance itself (`own`). */
  onRevoke({ epoch, position, members }: RevokeReply, now: Milliseconds, own: string): void {
    const others = members.filter(({ id }) => id !== own)
    const awaited = new Map(others.map(({ id, version }) => [id, version]))
    this.#state = { kind: 'waiting', epoch, position, since: now, awaited }
  }

  /**
   * Returns the members that a sync sent now reports as dead: those still awaited W after the script's reply, whose
   * leases have ended by then.
   */
  deadAt(now: Milliseconds): { id: string; version: number }[] {
    if (this.#state.kind !== 'waiting' || now < this.#state.since + this.#lapse) return []
    return [...this.#state.awaited].map(([id, version]) => ({ id, version }))
  }

  /**
   * Applies the reply to a sync.
   *
   * @param applied The position up to which this instance has applied the log.
   * @returns True if the barrier has closed.
   */
  onSync({ sent, request, barriers }: Sync, reply: SyncReply, applied: Position): boolean {
    const state = this.#state
    if (state.kind !== 'waiting') return false
    if (reply.epoch !== state.epoch) this.restart()
    // The state has changed since the sync was sent: the script's reply has arrived, or a new epoch has begun.
    if (barriers.get(this) !== this.#state) return false
    const isLate = sent.monotonic >= state.since + this.#lapse
    const wasComplete = state.awaited.size === 0
    if (request.who) this.#strikeOff(state.awaited, reply, state.position)
    if (!this.isLasting(reply, state.position, applied)) return false
    if (!isLate && state.awaited.size > 0) return false
    this.close(isLate && !wasComplete ? 'lapse' : 'acknowledgement')
    return true
  }

  protected close(by: 'acknowledgement' | 'lapse'): void {
    this.#state = { kind: 'closed', by }
  }

  /** Stops waiting for members that have left or acknowledged. They get no more leases without knowing the entries. */
  #strikeOff(awaited: Map<string, number>, { members }: SyncReply, position: Position): void {
    const now = new Map(members.map((member) => [member.id, member]))
    for (const id of awaited.keys()) {
      const member = now.get(id)
      if (!member || isAtOrAfter(member.applied, position)) awaited.delete(id)
    }
  }

  /**
   * Returns true if no lease of an earlier epoch is left, `waitReplicas` Redis replicas have the entries, and this
   * instance has applied them.
   */
  protected isLasting({ settled, waitOk }: SyncReply, position: Position, applied: Position): boolean {
    return settled && waitOk && isAtOrAfter(applied, position)
  }
}
