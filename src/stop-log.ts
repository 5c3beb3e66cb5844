import type { Milliseconds } from './clock.js'

interface Log {
  info(record: object, message: string): void
}

/** Logs the stages of a stop, each once, with the milliseconds since its beginning. */
export class StopLog {
  readonly #log: Log
  readonly #begin = performance.now()

  constructor(log: Log, drain: Milliseconds) {
    this.#log = log
    const message = 'unready; each response closes its connection'
    if (drain > 0) log.info({ event: 'draining', drainMilliseconds: drain }, message)
  }

  listenerClosed(): void {
    this.#stage('listener_closed', 'no new connection is accepted; open requests finish')
  }

  stopped(): void {
    this.#stage('stopped', 'all connections have ended')
  }

  #stage(event: string, message: string): void {
    this.#log.info({ event, afterMilliseconds: Math.round(performance.now() - this.#begin) }, message)
  }
}
