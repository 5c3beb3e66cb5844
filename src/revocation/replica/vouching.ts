import type { Lease } from './lease.js'
import type { SyncReply, SyncRequest, Vouch } from './revocation-log.js'
import type { OnLostHistory } from './protocol.js'

/**
 * The history that an instance knows from before the current epoch. With `onLostHistory: heal`, it vouches for this
 * history once per epoch. Pure code.
 */
export class Vouching {
  /** The history that the last lease of an earlier epoch covered. */
  #known: Vouch | undefined
  readonly #onLostHistory: OnLostHistory
  #isDone = false

  constructor(onLostHistory: OnLostHistory) {
    this.#onLostHistory = onLostHistory
  }

  /** Enters a new epoch. `lease` is the last lease of the earlier epochs, if there was one. */
  enter(lease: Lease | undefined): void {
    if (lease) this.#known = lease.history
    this.#isDone = false
  }

  /** The history to vouch for in the next sync, or `undefined` if there is nothing to vouch for. */
  get due(): Vouch | undefined {
    return this.#isDone || this.#onLostHistory !== 'heal' ? undefined : this.#known
  }

  onSync({ vouch, epoch }: SyncRequest, reply: SyncReply): void {
    if (vouch && epoch === reply.epoch) this.#isDone = true
  }
}
