/**
 * Brings back what Redis has lost: writes to the log what this epoch's lacks, a page at a time, and its denylist keys
 * later, when there is a lease. People and other programs wait for those, but no request does.
 */
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'
import type { Milliseconds } from '../../clock.js'
import type { DenylistEntry } from '../entry.js'
import type { Instance, Now } from './instance.js'
import type { RevocationLog } from './revocation-log.js'

/** What a person reads beside an entry whose reason is lost. */
const REASON = 'published again'
/** Denylist keys written at once: about 2 ms of Redis. */
const KEYS_AT_ONCE = 500
/** Between two writes of them: there is no hurry, and syncs go the same way. */
const BETWEEN_WRITES: Milliseconds = 20

export interface RepublisherOptions {
  readonly instance: Instance
  readonly log: RevocationLog
  /** L */
  readonly lease: Milliseconds
  readonly now: () => Now
  /** Ends the sessions of `sid` entries: an old snapshot may have brought them back. */
  readonly endSessions: (sids: readonly string[]) => Promise<void>
}

export class Republisher {
  readonly #options: RepublisherOptions
  /** Pages of this epoch whose denylist keys aren't written. */
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
   * Writes the next page; looking for it takes its turns. Called after each sync.
   *
   * @returns Whether a sync should follow at once: something was written, or is left to look for
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
      // The same page comes again after the next sync.
      return false
    }
  }

  /** As long as there is a lease, and the epoch is the one that they were published in. */
  async #writeKeys(): Promise<void> {
    const { instance, log, now } = this.#options
    if (this.#isWritingKeys || this.#keyless.length === 0) return
    this.#isWritingKeys = true
    try {
      while (this.#keyless.length > 0 && !this.#isStopped && instance.isLeased(now())) {
        // Whatever another epoch lacks is published again there.
        if (instance.generation !== this.#generation) this.#keyless = []
        const page = this.#keyless[0] ?? []
        if (page.length > 0) await log.deny(page.slice(0, KEYS_AT_ONCE), REASON)
        if (page !== this.#keyless[0]) continue
        if (page.length > KEYS_AT_ONCE) this.#keyless[0] = page.slice(KEYS_AT_ONCE)
        else this.#keyless.shift()
        await sleep(BETWEEN_WRITES)
      }
    } catch {
      // Again after the next sync.
    } finally {
      this.#isWritingKeys = false
    }
  }
}
