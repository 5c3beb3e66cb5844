import type { Lease } from './lease.js'
import type { SyncReply, SyncRequest, Vouch } from './revocation-log.js'
import type { OnLostHistory } from './protocol.js'

/** What a survivor knows of the time before its present epoch, and says in it once. Pure code. */
export class Vouching {
  /** What the last lease of an earlier epoch knew. */
  #known: Vouch | undefined
  readonly #onLostHistory: OnLostHistory
  #isDone = false

  constructor(onLostHistory: OnLostHistory) {
    this.#onLostHistory = onLostHistory
  }

  enter(lease: Lease | undefined): void {
    if (lease) this.#known = lease.history
    this.#isDone = false
  }

  /** What is left to say; `undefined` if there is nothing. */
  get due(): Vouch | undefined {
    return this.#isDone || this.#onLostHistory !== 'heal' ? undefined : this.#known
  }

  onSync({ vouch, epoch }: SyncRequest, reply: SyncReply): void {
    if (vouch && epoch === reply.epoch) this.#isDone = true
  }
}
