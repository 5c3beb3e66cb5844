/**
 * Restores denylist entries that Redis has lost. Entries that are missing in this epoch's log are written to it, one
 * page at a time. Their denylist keys are written later, under a lease. People and other programs read these keys, but
 * no request waits for them.
 */
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'
import type { Milliseconds } from '../../clock.js'
import type { DenylistEntry } from '../entry.js'
import type { Instance, Now } from './instance.js'
import type { RevocationLog } from './revocation-log.js'

/** The reason that a denylist key shows if the original reason is lost. */
const REASON = 'published again'
/** The number of denylist keys per command. They take Redis about 2 ms. */
const KEYS_AT_ONCE = 500
/** The pause (ms) between two such commands. They aren't urgent, and they share a connection with the syncs. */
const BETWEEN_WRITES: Milliseconds = 20

export interface RepublisherOptions {
  readonly instance: Instance
  readonly log: RevocationLog
  /** L, the duration of a lease (ms). */
  readonly lease: Milliseconds
  readonly now: () => Now
  /** Ends the sessions of `sid` entries, because an old snapshot may have restored them. */
  readonly endSessions: (sids: readonly string[]) => Promise<void>
}

export class Republisher {
  readonly #options: RepublisherOptions
  /** Pages published in this epoch whose denylist keys aren't written yet. */
  #keyless: (readonly DenylistEntry[])[] = []
  #generation = 0
  #isWritingKeys = false
  #isStopped = false

  constructor(options: RepublisherOptions) {
    this.#options = options
  }

  stop(): void {
    this.#isStopped = true
  }

  /**
   * Writes the next page. Must be called after each sync. The search for the page yields to the event loop between its
   * steps, and stops after L/10.
   *
   * @returns True if a sync should follow at once, because a page was written or the search isn't finished.
   */
  async advance(): Promise<boolean> {
    const { instance, now, lease } = this.#options
    void this.#writeKeys()
    const until = now().monotonic + lease / 10
    for (;;) {
      const { generation } = instance
      const page = instance.publish()
      if (page.length > 0) return this.#write(page, generation)
      if (!instance.isReviewing) return false
      if (now().monotonic >= until) return true
      await turn()
    }
  }

  async #write(page: readonly DenylistEntry[], generation: number): Promise<boolean> {
    const { instance, log, now, endSessions } = this.#options
    try {
      const sids = page.filter(({ kind }) => kind === 'sid').map(({ id }) => id)
      if (sids.length > 0) await endSessions(sids)
      const reply = await log.publish(page, now().wall)
      if (this.#generation !== generation) this.#keyless = []
      this.#generation = generation
      this.#keyless.push(page)
      instance.onPublish(generation, reply, now())
      return true
    } catch {
      // `publish` returns the same page again after the next sync.
      return false
    }
  }

  /** Writes denylist keys while there is a lease and the epoch is the one in which their entries were published. */
  async #writeKeys(): Promise<void> {
    const { instance, log, now } = this.#options
    if (this.#isWritingKeys || this.#keyless.length === 0) return
    this.#isWritingKeys = true
    try {
      while (this.#keyless.length > 0 && !this.#isStopped && instance.isLeased(now())) {
        // Entries that the log of the new epoch lacks are published again in that epoch.
        if (instance.generation !== this.#generation) this.#keyless = []
        const page = this.#keyless[0] ?? []
        if (page.length > 0) await log.deny(page.slice(0, KEYS_AT_ONCE), REASON)
        if (page !== this.#keyless[0]) continue
        if (page.length > KEYS_AT_ONCE) this.#keyless[0] = page.slice(KEYS_AT_ONCE)
        else this.#keyless.shift()
        await sleep(BETWEEN_WRITES)
      }
    } catch {
      // The keys are written again after the next sync.
    } finally {
      this.#isWritingKeys = false
    }
  }
}
