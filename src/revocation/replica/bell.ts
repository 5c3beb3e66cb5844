import type { Milliseconds } from '../../clock.js'
import type { Keys } from '../../redis/keys.js'
import type { RedisClient } from '../../redis/redis-client.js'
import { formatPosition } from '../entry.js'
import type { Position } from '../entry.js'

/** A signal that the log has new entries. It only triggers a sync, because it may be late, wrong or missing. */
export interface Bell {
  /** Resolves to true when the log has entries after this position, or to false if the wait times out or fails. */
  ring(after: Position): Promise<boolean>
  /** Ends the wait. The bell can't be used afterwards. */
  close(): void
}

/** A blocking `XREAD` on a separate connection. The entries that it returns are discarded. */
export class RedisBell implements Bell {
  readonly #redis: RedisClient
  readonly #keys: Keys
  readonly #block: Milliseconds

  constructor(redis: RedisClient, keys: Keys, lease: Milliseconds) {
    this.#redis = redis
    this.#keys = keys
    this.#block = 4 * lease
  }

  async ring(after: Position): Promise<boolean> {
    try {
      const found = await this.#redis.xread(
        'COUNT',
        1,
        'BLOCK',
        this.#block,
        'STREAMS',
        this.#keys.log,
        formatPosition(after),
      )
      return found !== null
    } catch {
      return false
    }
  }

  close(): void {
    this.#redis.disconnect()
  }
}
