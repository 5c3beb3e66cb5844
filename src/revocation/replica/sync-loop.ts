/**
 * Moves bytes between the log and an instance: one sync at a time, when it is due. It decides nothing but when; late,
 * lost and repeated answers are the instance's to judge.
 */
import type { Milliseconds } from '../../clock.js'
import type { Bell } from './bell.js'
import type { Position } from '../entry.js'
import type { SyncOutcome } from './instance.js'
import { Republisher } from './republisher.js'
import type { RepublisherOptions } from './republisher.js'

/** While an own revoke waits, syncs follow each other: 1 ms apart, then a third longer each time, up to 10. */
const BARRIER_PAUSE = { first: 1, growth: 4 / 3, longest: 10 }
/** Without a lease syncs come this much sooner than with one: who waits for it doesn't for long. */
const UNLEASED_HASTE = 5
/** The least time between a sync that failed and the next, however many ask for one. */
const AFTER_FAILURE: Milliseconds = 25

export interface SyncLoopOptions extends RepublisherOptions {
  readonly bell: Bell
  readonly onSync: (outcome: SyncOutcome | undefined, error: unknown) => void
}

export class SyncLoop {
  readonly #options: SyncLoopOptions
  readonly #republisher: Republisher
  readonly #listeners = new Set<() => void>()
  #isStopped = false
  #loop: Promise<void> = Promise.resolve()
  #wake: (() => void) | undefined
  /** Somebody asked for a sync that is sent after now. */
  #isAsked = false
  #isUnderWay = false
  #barrierPause = BARRIER_PAUSE.first

  constructor(options: SyncLoopOptions) {
    this.#options = options
    this.#republisher = new Republisher(options)
  }

  start(): void {
    this.#loop = this.#follow()
    void this.#listen()
  }

  /** Sends no more syncs; resolves when none is under way. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#republisher.stop()
    this.#options.bell.close()
    this.#wake?.()
    await this.#loop
  }

  /** Asks for a sync as soon as the one under way is done. */
  ask(): void {
    this.#isAsked = true
    this.#wake?.()
  }

  /** Asks for the fast syncs of a barrier. */
  hurry(): void {
    this.#barrierPause = BARRIER_PAUSE.first
    this.ask()
  }

  /** Resolves after the next sync, whatever came of it, or when `patience` is over. */
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

  async #follow(): Promise<void> {
    const { instance, log, now, onSync, lease } = this.#options
    while (!this.#isStopped) {
      this.#isAsked = false
      const sync = instance.sync(now())
      let outcome: SyncOutcome | undefined
      this.#isUnderWay = true
      try {
        const reply = await log.sync(sync.request, sync.sent.wall)
        outcome = instance.onSync(sync, reply, now())
        onSync(outcome, undefined)
      } catch (error) {
        onSync(undefined, error)
      }
      this.#isUnderWay = false
      for (const listener of this.#listeners) listener()
      if (outcome && (await this.#republisher.advance())) this.#isAsked = true
      const every = instance.isLeased(now()) ? lease / 4 : lease / 4 / UNLEASED_HASTE
      const due = sync.sent.monotonic + every - now().monotonic
      await this.#pause(this.#untilNext(outcome, due), outcome === undefined)
    }
  }

  #untilNext(outcome: SyncOutcome | undefined, due: Milliseconds): Milliseconds {
    if (!outcome) return Math.max(due, AFTER_FAILURE)
    if (outcome.again) return 0
    if (!this.#options.instance.isWaiting) return Math.max(due, 0)
    const pause = this.#barrierPause
    this.#barrierPause = Math.min(pause * BARRIER_PAUSE.growth, BARRIER_PAUSE.longest)
    return pause
  }

  /** Waits, or until somebody asks; after a failure at least for a moment. 0 is a turn of the event loop. */
  async #pause(pause: Milliseconds, isAfterFailure: boolean): Promise<void> {
    if (isAfterFailure) await new Promise((resolve) => setTimeout(resolve, AFTER_FAILURE))
    if (this.#isAsked || this.#isStopped) return
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
   * The bell only says "sync now". After a ring whose sync finds nothing it is left alone for a while: it may be on a
   * stale server.
   */
  async #listen(): Promise<void> {
    const { instance, bell, lease } = this.#options
    while (!this.#isStopped) {
      const heardFrom: Position = instance.applied
      const rang = await bell.ring(heardFrom)
      if (this.#isStopped) return
      if (rang) {
        this.ask()
        // One that is under way may have looked before it rang.
        if (this.#isUnderWay) await this.nextSync(lease)
        await this.nextSync(lease)
      }
      const isIdle = instance.applied.ms === heardFrom.ms && instance.applied.seq === heardFrom.seq
      if (!rang || isIdle)
        await new Promise((resolve) => setTimeout(resolve, rang ? lease / 4 : AFTER_FAILURE).unref())
    }
  }
}
