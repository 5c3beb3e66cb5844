import { PortcullisError } from '../errors.js'

/**
 * Limits how many logins are processed at once, and how many may wait. A flood of logins then neither starves the
 * verification of tokens nor grows an unbounded queue.
 */
export class WorkSlots {
  readonly #queueLimit: number
  readonly #waiting: (() => void)[] = []
  #free: number

  /**
   * @param size Maximum number of logins at once.
   * @param queueLimit Maximum number of logins that wait.
   */
  constructor(size: number, queueLimit: number) {
    this.#free = size
    this.#queueLimit = queueLimit
  }

  /**
   * Runs the work as soon as a slot is free.
   *
   * @throws {PortcullisError} `overloaded` if the queue is full; or rejects as `work` does
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
      throw new PortcullisError('overloaded', {
        detail: 'Too many logins are waiting. Try again in a few seconds.',
      })
    }
    return new Promise((resolve) => this.#waiting.push(resolve))
  }
}
