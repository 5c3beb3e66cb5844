import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Milliseconds } from './clock.js'

/** Time between two samples of the event loop. */
const RESOLUTION: Milliseconds = 10
/** Time over which the mean is taken. */
const PERIOD: Milliseconds = 1_000

/**
 * Measures the mean delay of the event loop, once per second.
 *
 * It opens no file. `process.memoryUsage()`, for example, reads `/proc`, and throws when the process has no file
 * descriptor left, which is exactly when load must be shed.
 */
export class EventLoopDelay {
  readonly #samples = monitorEventLoopDelay({ resolution: RESOLUTION })
  readonly #timer = setInterval(() => this.#measure(), PERIOD).unref()
  #mean: Milliseconds = 0

  constructor() {
    this.#samples.enable()
  }

  /** The mean delay of the last whole second. `Infinity` if the event loop ran no timer in it. */
  get mean(): Milliseconds {
    return this.#mean
  }

  close(): void {
    clearInterval(this.#timer)
    this.#samples.disable()
  }

  #measure(): void {
    const { mean } = this.#samples
    this.#mean = Number.isNaN(mean) ? Infinity : Math.max(0, mean / 1e6 - RESOLUTION)
    this.#samples.reset()
  }
}
