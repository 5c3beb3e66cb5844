/** The barrier of one revoke: it closes when no lease can be left that doesn't know of the entries. Pure code. */
import type { Milliseconds } from '../../clock.js'
import { isAtOrAfter } from '../entry.js'
import type { Position } from '../entry.js'
import type { NewEntry, RevokeReply, SyncReply } from './revocation-log.js'
import type { Sync } from './protocol.js'

export type BarrierState =
  /** The script is to be run: at the beginning, and again after an epoch in which the entries may be lost. */
  | { readonly kind: 'writing' }
  | {
      readonly kind: 'waiting'
      readonly epoch: string
      readonly position: Position
      /** When the script's reply came. */
      readonly since: Milliseconds
      /** The other members at that time; who has acknowledged, or left, is taken out. */
      readonly awaited: Map<string, number>
    }
  | { readonly kind: 'closed'; readonly by: 'acknowledgement' | 'lapse' }

export class Barrier {
  readonly entries: readonly NewEntry[]
  /** When its caller's patience is over. */
  readonly deadline: Milliseconds
  readonly #lapse: Milliseconds
  #state: BarrierState = { kind: 'writing' }

  /** @param lapse W: how long until every lease that was granted before has lapsed */
  constructor(entries: readonly NewEntry[], now: Milliseconds, lapse: Milliseconds) {
    this.entries = entries
    this.#lapse = lapse
    this.deadline = now + 2 * lapse + 1_000
  }

  get state(): BarrierState {
    return this.#state
  }

  /** Another epoch: the entries may be lost. */
  restart(): void {
    this.#state = { kind: 'writing' }
  }

  onRevoke({ epoch, position, members }: RevokeReply, now: Milliseconds, own: string): void {
    const others = members.filter(({ id }) => id !== own)
    const awaited = new Map(others.map(({ id, version }) => [id, version]))
    this.#state = { kind: 'waiting', epoch, position, since: now, awaited }
  }

  /** Who is to be taken for dead by a sync that is sent now: it is late enough for their leases to have lapsed. */
  deadAt(now: Milliseconds): { id: string; version: number }[] {
    if (this.#state.kind !== 'waiting' || now < this.#state.since + this.#lapse) return []
    return [...this.#state.awaited].map(([id, version]) => ({ id, version }))
  }

  /**
   * The reply of a sync; says whether the barrier has closed.
   *
   * @param applied up to where the instance itself has applied everything
   */
  onSync({ sent, request, barriers }: Sync, reply: SyncReply, applied: Position): boolean {
    const state = this.#state
    if (state.kind !== 'waiting') return false
    if (reply.epoch !== state.epoch) this.restart()
    // Not the state that it had when the sync was sent: the script's reply, or another epoch, has come since.
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

  /** Who has left or acknowledged is awaited no more: it can't have a lease again that doesn't know of the entries. */
  #strikeOff(awaited: Map<string, number>, { members }: SyncReply, position: Position): void {
    const now = new Map(members.map((member) => [member.id, member]))
    for (const id of awaited.keys()) {
      const member = now.get(id)
      if (!member || isAtOrAfter(member.applied, position)) awaited.delete(id)
    }
  }

  /**
   * Whether no lease of an earlier epoch is left, no failover can lose the entries, and the instance itself has them.
   */
  protected isLasting({ settled, waitOk }: SyncReply, position: Position, applied: Position): boolean {
    return settled && waitOk && isAtOrAfter(applied, position)
  }
}
