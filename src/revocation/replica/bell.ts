import type { Milliseconds } from '../../clock.js'
import type { Keys } from '../../redis/keys.js'
import type { RedisClient } from '../../redis/redis-client.js'
import { formatPosition } from '../entry.js'
import type { Position } from '../entry.js'

/** Tells that the log has grown. It may be late, stale or dead: it is never believed, only a reason to look. */
export interface Bell {
  /**
   * Resolves to true when there is something after this place in the log, to false when that could not be waited for
   * any longer.
   */
  ring(after: Position): Promise<boolean>
  close(): void
}

/** A blocking read on a connection of its own; what it brings is thrown away. */
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
