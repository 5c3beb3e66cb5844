import type { Milliseconds } from '../../clock.js'

/**
 * How long a server must offer a left epoch, and no other one, until the instance enters it again. Sentinel reconfigures
 * an old primary within about 10 s after it is reachable again. After that, the epoch can only be back because somebody
 * has restored the data.
 */
const MIN_OFFER: Milliseconds = 30_000
/** The number of epochs that are remembered. */
const MAX_EPOCHS = 16

/**
 * The epochs that an instance has left. Only an old primary offers one of them again, such as a frozen one that runs
 * again after a failover. It doesn't know what was revoked since, so it must not grant a lease. Pure code.
 */
export class LeftEpochs {
  readonly #epochs = new Set<string>()
  /** The left epoch that is offered now, and the time of its first offer by the monotonic clock. */
  #offer: { readonly epoch: string; readonly since: Milliseconds } | undefined

  /** Records that the instance has left one epoch (or `''`, none) and entered another one. */
  onChange(left: string, entered: string): void {
    this.#epochs.delete(entered)
    if (left !== '') this.#epochs.add(left)
    if (this.#epochs.size > MAX_EPOCHS) this.#epochs.delete(this.#epochs.values().next().value!)
  }

  /** Returns true if an answer of this epoch must be ignored. `now` is the time by the monotonic clock. */
  refuses(epoch: string, now: Milliseconds): boolean {
    if (!this.#epochs.has(epoch)) {
      this.#offer = undefined
      return false
    }
    if (this.#offer?.epoch !== epoch) this.#offer = { epoch, since: now }
    return now - this.#offer.since < MIN_OFFER
  }
}
