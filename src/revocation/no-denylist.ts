import type { Clock, Milliseconds, UnixMs } from '../clock.js'
import type { Denylist, TokenStamp } from './denylist.js'

/** The tolerated difference between the clocks of this instance and of the issuer, in `iat`. */
const TOLERANCE: Milliseconds = 2_000

/**
 * The denylist of `store: none`. It covers no token. Methods that would revoke something throw, because a success would
 * promise what no instance keeps.
 */
export class NoDenylist implements Denylist {
  readonly #clock: Clock
  readonly #leeway: Milliseconds

  /** @param leeway The setting `tokens.leeway`. */
  constructor(clock: Clock, leeway: Milliseconds) {
    this.#clock = clock
    this.#leeway = leeway
  }

  check(): undefined {
    return undefined
  }

  peek(): undefined {
    return undefined
  }

  /** Returns always the same, because nothing changes. */
  version(): string {
    return 'none'
  }

  /** Returns `undefined`, because there is no outage. */
  checkInOutage(): undefined {
    return undefined
  }

  /** @throws {TypeError} always */
  revoke(): Promise<void> {
    return Promise.reject(new TypeError(`revoke: ${NO_STORE}`))
  }

  /** @throws {TypeError} always */
  stamp(): Promise<TokenStamp> {
    return Promise.reject(new TypeError(`issue: ${NO_STORE}`))
  }

  latestIssue(): UnixMs {
    return this.#clock.now() + TOLERANCE + this.#leeway
  }

  trusts(): boolean {
    return true
  }
}

/** Explains why a method doesn't work. It follows the name of the method. */
export const NO_STORE =
  'store is none, so this instance has no sessions and revokes nothing; set store to the Redis of the issuer'
