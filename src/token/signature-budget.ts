import type { Clock, Milliseconds, UnixMs } from '../clock.js'
import { PortcullisError } from '../errors.js'

/** Failed signatures per address and period that are verified at full speed. */
const MAX_FAILURES = 100
const PERIOD: Milliseconds = 10_000
/** Time between two verifications for an address that has used up its budget. */
const PAUSE: Milliseconds = 100

interface Spent {
  failures: number
  /** When the next token is verified, once the budget is used up. */
  nextAt: UnixMs
}

/**
 * Bounds the time that one address can take with tokens whose signature is wrong. A verification takes up to 1.4 ms
 * (ES512), and runs on the event loop.
 *
 * Beyond the budget, one unknown token per `PAUSE` is still verified, so that a new good token of a client behind the
 * same address passes after a few attempts. Tokens in the cache of verified tokens never get here.
 */
export class SignatureBudget {
  readonly #clock: Clock
  readonly #keyOf: (address: string) => string
  /** Cleared every period. It can't grow large, because each entry costs a verification. */
  readonly #spent = new Map<string, Spent>()
  #endsAt: UnixMs = 0

  /** @param keyOf Returns the same key for all addresses of one client, such as those of an IPv6 /64. */
  constructor(clock: Clock, keyOf: (address: string) => string) {
    this.#clock = clock
    this.#keyOf = keyOf
  }

  /**
   * Call it before a signature is verified.
   *
   * @throws {PortcullisError} `rate_limited`
   */
  check(address: string): void {
    if (this.#spent.size === 0) return
    const now = this.#clock.now()
    if (now >= this.#endsAt) return this.#spent.clear()
    const spent = this.#spent.get(this.#keyOf(address))
    if (spent === undefined || spent.failures < MAX_FAILURES) return
    if (now < spent.nextAt) {
      throw new PortcullisError('rate_limited', {
        detail: 'There were too many tokens with a wrong signature from this address. Try again in 1 s.',
        headers: { 'retry-after': '1' },
      })
    }
    spent.nextAt = now + PAUSE
  }

  /** Call it for each token whose signature is wrong. */
  countFailure(address: string): void {
    if (this.#spent.size === 0) this.#endsAt = this.#clock.now() + PERIOD
    const key = this.#keyOf(address)
    const spent = this.#spent.get(key)
    if (spent) spent.failures += 1
    else this.#spent.set(key, { failures: 1, nextAt: 0 })
  }
}
