import { PortcullisError } from '../errors.js'

/**
 * Bounds how much work of one kind runs at once, and how much may wait for it, so that a flood of logins neither
 * starves the checks of tokens nor piles up.
 */
export class WorkSlots {
  readonly #queueLimit: number
  readonly #waiting: (() => void)[] = []
  #free: number

  constructor(size: number, queueLimit: number) {
    this.#free = size
    this.#queueLimit = queueLimit
  }

  /**
   * Runs the work as soon as a slot is free.
   *
   * @throws {PortcullisError} `overloaded` if too many wait already
   */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1
    else await this.#wait()
    try {
      return await work()
    } finally {
      const next = this.#waiting.shift()
      if (next) next()
      else this.#free += 1
    }
  }

  #wait(): Promise<void> {
    if (this.#waiting.length >= this.#queueLimit) {
      throw new PortcullisError('overloaded', { detail: 'Too many are waiting already; try again shortly.' })
    }
    return new Promise((resolve) => this.#waiting.push(resolve))
  }
}
