import type { Milliseconds } from '../clock.js'

/** Told when a target goes down or is up again; the reason is a code for the log, without addresses. */
export type OnHealth = (origin: string, isUp: boolean, reason: string) => void

/** Between two looks at a target that can't be reached. */
const PROBE_INTERVAL: Milliseconds = 1000
/**
 * How long one that takes connections but doesn't answer is left alone: a probe couldn't tell that it answers again.
 */
const SILENT_REST: Milliseconds = 5000
/** Requests in a row that were lost or came to no answer in time, after which a target is down. */
const MISSES = 3

/**
 * Whether a target is worth asking, by what became of its requests. While it is down it is looked at about once a
 * second; only such a look brings it up again.
 */
export class UpstreamHealth {
  readonly #origin: string
  /** Resolves when a connection can be made. */
  readonly #connect: () => Promise<void>
  readonly #onHealth: OnHealth
  #isUp = true
  #misses = 0
  #probe: NodeJS.Timeout | undefined
  #closed = false

  constructor(origin: string, connect: () => Promise<void>, onHealth: OnHealth = () => {}) {
    this.#origin = origin
    this.#connect = connect
    this.#onHealth = onHealth
  }

  get isUp(): boolean {
    return this.#isUp
  }

  /** The head of an answer came. */
  answered(): void {
    this.#misses = 0
  }

  /** A request that had been sent was lost, or waited in vain for the head of its answer. */
  missed(reason: string): void {
    this.#misses += 1
    if (this.#misses >= MISSES) this.#down(reason, SILENT_REST)
  }

  /** A connection could not be made. */
  unreachable(reason: string): void {
    this.#down(reason, PROBE_INTERVAL)
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#probe)
  }

  #down(reason: string, rest: Milliseconds): void {
    if (!this.#isUp || this.#closed) return
    this.#isUp = false
    this.#probeAfter(rest)
    this.#onHealth(this.#origin, false, reason)
  }

  #probeAfter(rest: Milliseconds): void {
    this.#probe = setTimeout(() => {
      this.#connect().then(
        () => this.#up(),
        () => this.#closed || this.#probeAfter(PROBE_INTERVAL),
      )
    }, rest)
    this.#probe.unref()
  }

  #up(): void {
    if (this.#closed) return
    this.#isUp = true
    this.#misses = 0
    this.#onHealth(this.#origin, true, 'connected')
  }
}
