import type { Milliseconds } from '../clock.js'

/**
 * A callback for an upstream server that went down or came up again. The reason is a code for the log, without
 * addresses.
 */
export type OnHealth = (origin: string, isUp: boolean, reason: string) => void

/** Polling interval for an upstream server that is unreachable. */
const PROBE_INTERVAL: Milliseconds = 1000
/**
 * Time without requests for an upstream server that accepts connections but doesn't respond. A probe only makes a
 * connection, and can't find out if the server responds again.
 */
const SILENT_PAUSE: Milliseconds = 5000
/** Number of consecutive requests without a response after which an upstream server counts as down. */
const MAX_MISSES = 3

/**
 * The health of an upstream server, derived from the results of its requests. While the server is down, connections are
 * attempted about once per second. Only a successful attempt brings the server up again.
 */
export class UpstreamHealth {
  readonly #origin: string
  /** Makes a test connection. Rejects if the upstream server is unreachable. */
  readonly #connect: () => Promise<void>
  readonly #onHealth: OnHealth
  #isUp = true
  #misses = 0
  #probeTimer: NodeJS.Timeout | undefined
  #closed = false

  constructor(origin: string, connect: () => Promise<void>, onHealth: OnHealth = () => {}) {
    this.#origin = origin
    this.#connect = connect
    this.#onHealth = onHealth
  }

  get isUp(): boolean {
    return this.#isUp
  }

  /** Records that a response head arrived. */
  answered(): void {
    this.#misses = 0
  }

  /**
   * Records that a request was sent and that the connection was lost, or a timeout passed, before the response head.
   */
  missed(reason: string): void {
    this.#misses += 1
    if (this.#misses >= MAX_MISSES) this.#markDown(reason, SILENT_PAUSE)
  }

  /** Records that no connection could be made. */
  unreachable(reason: string): void {
    this.#markDown(reason, PROBE_INTERVAL)
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#probeTimer)
  }

  #markDown(reason: string, delay: Milliseconds): void {
    if (!this.#isUp || this.#closed) return
    this.#isUp = false
    this.#scheduleProbe(delay)
    this.#onHealth(this.#origin, false, reason)
  }

  #scheduleProbe(delay: Milliseconds): void {
    this.#probeTimer = setTimeout(() => {
      this.#connect().then(
        () => this.#markUp(),
        () => this.#closed || this.#scheduleProbe(PROBE_INTERVAL),
      )
    }, delay)
    this.#probeTimer.unref()
  }

  #markUp(): void {
    if (this.#closed) return
    this.#isUp = true
    this.#misses = 0
    this.#onHealth(this.#origin, true, 'connected')
  }
}
