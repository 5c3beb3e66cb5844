import { randomBytes } from 'node:crypto'
import { toSeconds } from '../clock.js'
import type { Clock } from '../clock.js'
import { storeUnavailable } from '../errors.js'
import type { Keys } from '../store/keys.js'
import type { RedisClient } from '../store/redis-client.js'
import { DENY } from '../store/scripts.js'
import { denialLife } from './port.js'
import type { Denial, DenialLife, Entry, Revocable, Revocation, Stamp } from './port.js'

/**
 * The denylist in Redis, asked on each request by one `MGET` (`revocation.check: redis`). Exact on all instances, as
 * long as Redis loses nothing.
 */
export class RedisDenylist implements Revocation {
  readonly #redis: RedisClient
  readonly #keys: Keys
  readonly #clock: Clock
  readonly #life: DenialLife
  readonly #mark = randomBytes(6).toString('base64url')

  constructor(redis: RedisClient, keys: Keys, clock: Clock, life: DenialLife) {
    this.#redis = redis
    this.#keys = keys
    this.#clock = clock
    this.#life = life
  }

  async check({ jti, sid }: Revocable): Promise<Denial | undefined> {
    let found: (string | null)[]
    try {
      found = await this.#redis.mget(this.#keys.deny('sid', sid), this.#keys.deny('jti', jti))
    } catch (error) {
      throw storeUnavailable(error)
    }
    if (found[0] !== null) return 'sid'
    if (found[1] !== null) return 'jti'
    return undefined
  }

  async revoke(entries: readonly Entry[]): Promise<void> {
    if (entries.length === 0) return
    const now = this.#clock.now()
    const transaction = this.#redis.multi()
    for (const entry of entries) {
      const life = denialLife(entry, this.#life, now)
      const value = `0 ${now + life} ${entry.reason ?? ''}`
      transaction.eval(DENY.lua, DENY.keys, this.#keys.deny(entry.kind, entry.id), value, life)
    }
    let replies: [error: Error | null, result: unknown][] | null
    try {
      replies = await transaction.exec()
    } catch (error) {
      throw storeUnavailable(error)
    }
    const failure = replies === null ? 'the transaction was dropped' : replies.find(([error]) => error)?.[0]
    if (failure) throw storeUnavailable(failure)
  }

  stamp(): Stamp {
    return { issuedAt: toSeconds(this.#clock.now()), mark: this.#mark }
  }
}
