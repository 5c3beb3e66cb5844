import type { Milliseconds } from './clock.js'

interface Log {
  info(record: object, message: string): void
}

/** Logs each stage of a stop once, with the time since the stop began in ms. */
export class StopLog {
  readonly #log: Log
  readonly #begin = performance.now()

  constructor(log: Log, drain: Milliseconds) {
    this.#log = log
    const message = 'readiness check fails on purpose; each response closes its connection'
    if (drain > 0) log.info({ event: 'draining', drainMilliseconds: drain }, message)
  }

  listenerClosed(): void {
    const message = 'listener closed; open requests may still finish'
    this.#log.info({ event: 'listener_closed', afterMilliseconds: this.#elapsed() }, message)
  }

  stopped(): void {
    const message = 'all connections have ended'
    this.#log.info({ event: 'stopped', afterMilliseconds: this.#elapsed() }, message)
  }

  #elapsed(): Milliseconds {
    return Math.round(performance.now() - this.#begin)
  }
}
