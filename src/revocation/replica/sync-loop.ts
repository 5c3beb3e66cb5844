import type { Milliseconds } from '../../clock.js'
import type { Bell } from './bell.js'
import type { Position } from '../entry.js'
import type { SyncOutcome } from './instance.js'
import { Republisher } from './republisher.js'
import type { RepublisherOptions } from './republisher.js'

/** The pauses (ms) between syncs while a revoke waits at its barrier. Each is `growth` times the one before. */
const BARRIER_PAUSE = { first: 1, growth: 4 / 3, longest: 10 }
/** The factor by which syncs are more frequent without a lease, because requests may be waiting for one. */
const UNLEASED_SPEEDUP = 5
/** The shortest pause after a failed sync, even if another one is requested, and after a failed wait for the bell. */
const PAUSE_AFTER_FAILURE: Milliseconds = 25

export interface SyncLoopOptions extends RepublisherOptions {
  readonly bell: Bell
  /** Receives the outcome of each sync, or `undefined` and the error if it failed. */
  readonly onSync: (outcome: SyncOutcome | undefined, error: unknown) => void
}

/**
 * The loop that sends syncs to the log, one at a time, and passes the replies to the instance, which handles late, lost
 * and repeated ones. After each sync, it publishes entries of earlier epochs again if any are left.
 */
export class SyncLoop {
  readonly #options: SyncLoopOptions
  readonly #republisher: Republisher
  readonly #listeners = new Set<() => void>()
  #isStopped = false
  #loop: Promise<void> = Promise.resolve()
  #wake: (() => void) | undefined
  /** True if another sync was requested since the last one was sent. */
  #isRequested = false
  #isSyncing = false
  #barrierPause = BARRIER_PAUSE.first

  constructor(options: SyncLoopOptions) {
    this.#options = options
    this.#republisher = new Republisher(options)
  }

  start(): void {
    this.#loop = this.#run()
    void this.#listen()
  }

  /** Stops the loop. Resolves when the sync in progress has ended. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#republisher.stop()
    this.#options.bell.close()
    this.#wake?.()
    await this.#loop
    // Ends every wait in `nextSync`. No further sync would, and the timers of these waits would keep the process alive.
    this.#notify()
  }

  /** Requests a sync, which is sent as soon as the one in progress has ended. */
  ask(): void {
    this.#isRequested = true
    this.#wake?.()
  }

  /** Requests a sync, and restarts the short pauses of a barrier. */
  hurry(): void {
    this.#barrierPause = BARRIER_PAUSE.first
    this.ask()
  }

  /** Waits until a sync ends, even one already in progress, successful or not, but at most for `patience`. */
  nextSync(patience: Milliseconds): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer)
        this.#listeners.delete(done)
        resolve()
      }
      const timer = setTimeout(done, Math.max(0, patience))
      this.#listeners.add(done)
    })
  }

  async #run(): Promise<void> {
    const { instance, log, now, onSync, lease } = this.#options
    while (!this.#isStopped) {
      this.#isRequested = false
      const sync = instance.sync(now())
      let outcome: SyncOutcome | undefined
      this.#isSyncing = true
      try {
        const reply = await log.sync(sync.request, sync.sent.wall)
        outcome = instance.onSync(sync, reply, now())
        onSync(outcome, undefined)
      } catch (error) {
        onSync(undefined, error)
      }
      this.#isSyncing = false
      this.#notify()
      if (outcome && (await this.#republisher.advance())) this.#isRequested = true
      const every = instance.isLeased(now()) ? lease / 4 : lease / 4 / UNLEASED_SPEEDUP
      const due = sync.sent.monotonic + every - now().monotonic
      await this.#pause(this.#untilNext(outcome, due), outcome === undefined)
    }
  }

  #notify(): void {
    for (const listener of this.#listeners) listener()
  }

  #untilNext(outcome: SyncOutcome | undefined, due: Milliseconds): Milliseconds {
    if (!outcome) return Math.max(due, PAUSE_AFTER_FAILURE)
    if (outcome.again) return 0
    if (!this.#options.instance.isWaiting) return Math.max(due, 0)
    const pause = this.#barrierPause
    this.#barrierPause = Math.min(pause * BARRIER_PAUSE.growth, BARRIER_PAUSE.longest)
    return pause
  }

  /**
   * Waits for `pause`, or until a sync is requested. A pause of 0 is one turn of the event loop. After a failure it
   * waits for `PAUSE_AFTER_FAILURE` first.
   */
  async #pause(pause: Milliseconds, isAfterFailure: boolean): Promise<void> {
    if (isAfterFailure) await new Promise((resolve) => setTimeout(resolve, PAUSE_AFTER_FAILURE))
    if (this.#isRequested || this.#isStopped) return
    await new Promise<void>((resolve) => {
      const timer = pause > 0 ? setTimeout(resolve, pause) : void setImmediate(resolve)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    this.#wake = undefined
  }

  /**
   * Requests a sync whenever the bell rings. If that sync finds no entries, the bell may be connected to a server with
   * old data, so the loop pauses before it waits for the bell again.
   */
  async #listen(): Promise<void> {
    const { instance, bell, lease } = this.#options
    while (!this.#isStopped) {
      const before: Position = instance.applied
      const rang = await bell.ring(before)
      if (this.#isStopped) return
      if (rang) {
        this.ask()
        // A sync that is already in progress may have read the log before the bell rang, so wait for the one after it.
        if (this.#isSyncing) await this.nextSync(lease)
        if (!this.#isStopped) await this.nextSync(lease)
      }
      const isIdle = instance.applied.ms === before.ms && instance.applied.seq === before.seq
      if (!rang || isIdle)
        await new Promise((resolve) => setTimeout(resolve, rang ? lease / 4 : PAUSE_AFTER_FAILURE).unref())
    }
  }
}
