import type { Clock, Milliseconds, UnixMs } from '../clock.js'
import { PortcullisError } from '../errors.js'
import type { Algorithm } from './signing-key.js'

/** Wrong signatures are verified at full speed until an address has used up what it gets in this time. */
const PERIOD: Milliseconds = 1_000
/** Time between two searches for addresses whose budget is full again. */
const SWEEP_PERIOD: Milliseconds = 10_000

/**
 * Mean time between two wrong signatures that an address may present without limit: ten times what one costs at most,
 * so that they take a tenth of the event loop's time.
 */
function pauseFor(algorithm: Algorithm): Milliseconds {
  return algorithm === 'ES512' || algorithm === 'ES384' ? 15 : 2
}

/** Why a token is verified. Each purpose has its own budget, so that other requests can't block a logout. */
export type Purpose = 'request' | 'logout'

/**
 * Bounds the time that one address can take with tokens whose signature is wrong. A verification takes up to 1.4 ms
 * (ES512), and runs on the event loop.
 *
 * The budget refills steadily, and only wrong signatures use it up. Whatever an address sends, the bounded number of
 * unknown tokens per second is still verified, in the order in which they arrive, and a new good token of another client
 * may be among them. Tokens in the cache of verified tokens never get here.
 */
export class SignatureBudget {
  readonly #clock: Clock
  readonly #keyOf: (address: string) => string
  readonly #pause: Milliseconds
  /** When the budget of an address will be full again. It can't grow large, because each entry costs a verification. */
  readonly #fullAt = new Map<string, UnixMs>()
  #sweepAt: UnixMs = 0

  /** @param keyOf Returns the same key for all addresses of one client, such as those of an IPv6 /64. */
  constructor(clock: Clock, keyOf: (address: string) => string, algorithm: Algorithm) {
    this.#clock = clock
    this.#keyOf = keyOf
    this.#pause = pauseFor(algorithm)
  }

  /**
   * Call it before a signature is verified.
   *
   * @throws {PortcullisError} `rate_limited`
   */
  check(address: string, purpose: Purpose): void {
    if (this.#fullAt.size === 0) return
    const fullAt = this.#fullAt.get(this.#key(address, purpose))
    if (fullAt === undefined || fullAt + this.#pause <= this.#clock.now() + PERIOD) return
    throw new PortcullisError('rate_limited', {
      detail: 'There were too many tokens with a wrong signature from this address. Try again in 1 s.',
      headers: { 'retry-after': '1' },
    })
  }

  /** Call it for each token whose signature is wrong. */
  countFailure(address: string, purpose: Purpose): void {
    const now = this.#clock.now()
    if (now >= this.#sweepAt) this.#sweep(now)
    const key = this.#key(address, purpose)
    this.#fullAt.set(key, Math.max(now, this.#fullAt.get(key) ?? 0) + this.#pause)
  }

  #key(address: string, purpose: Purpose): string {
    return `${purpose} ${this.#keyOf(address)}`
  }

  #sweep(now: UnixMs): void {
    this.#sweepAt = now + SWEEP_PERIOD
    for (const [key, fullAt] of this.#fullAt) if (fullAt <= now) this.#fullAt.delete(key)
  }
}
