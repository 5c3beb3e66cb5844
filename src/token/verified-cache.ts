/**
 * Caches tokens whose signature and claims were verified, so that each token is verified once instead of per request.
 */

/**
 * Length of a cache key: the last 22 characters of the token. They are the end of the signature, so they are
 * practically random for every token that was verified.
 */
const KEY_LENGTH = 22
/** Memory of an ordinary token with few claims, in bytes, as `VerifiedToken.bytes` estimates it. */
const ORDINARY_BYTES = 2_048

/** Counters of the cache: `hits` and `misses` since the start, `size` now. */
export interface VerifiedCacheStats {
  readonly hits: number
  readonly misses: number
  readonly size: number
}

/**
 * A map of verified tokens, bounded in number and in memory. Callers add only tokens that passed verification, so
 * invalid tokens can't evict anything.
 *
 * The oldest token is evicted first, however often it is used. A token in use is then verified again once per
 * `capacity` new tokens, which costs less than recording each use.
 */
export class VerifiedCache<T extends { readonly token: string; readonly bytes: number }> {
  readonly #capacity: number
  readonly #tokens = new Map<string, T>()
  /** One iterator for the lifetime of the cache. A new iterator would have to skip the slots of all deleted entries. */
  readonly #oldest = this.#tokens.keys()
  #bytes = 0
  #hits = 0
  #misses = 0

  /**
   * @param capacity The maximum number of tokens; 0 disables the cache. Tokens with large claims take the place of
   *   several.
   */
  constructor(capacity: number) {
    this.#capacity = capacity
  }

  get stats(): VerifiedCacheStats {
    return { hits: this.#hits, misses: this.#misses, size: this.#tokens.size }
  }

  get(token: string): T | undefined {
    const found = this.#tokens.get(token.slice(-KEY_LENGTH))
    // Another token may have the same last characters, so the whole token is compared.
    if (found === undefined || found.token !== token) {
      this.#misses += 1
      return undefined
    }
    this.#hits += 1
    return found
  }

  /**
   * Adds a token, and evicts the oldest ones if the cache is full.
   *
   * @param verified One object with everything that a request needs. Each further object would cost a cache miss of the
   *   CPU.
   */
  set(verified: T): void {
    if (this.#capacity === 0) return
    const key = ownCopy(verified.token.slice(-KEY_LENGTH))
    this.#bytes += verified.bytes - (this.#tokens.get(key)?.bytes ?? 0)
    this.#tokens.set(key, verified)
    while (this.#isTooLarge()) this.#remove(this.#oldest.next().value!)
  }

  delete({ token }: T): void {
    const key = token.slice(-KEY_LENGTH)
    if (this.#tokens.get(key)?.token === token) this.#remove(key)
  }

  #isTooLarge(): boolean {
    const { size } = this.#tokens
    return size > this.#capacity || (size > 1 && this.#bytes > this.#capacity * ORDINARY_BYTES)
  }

  #remove(key: string): void {
    this.#bytes -= this.#tokens.get(key)!.bytes
    this.#tokens.delete(key)
  }
}

/**
 * Copies a text that will be kept. In V8 a slice keeps the whole text that it was cut from in memory.
 *
 * @param text Latin-1 only.
 */
export function ownCopy(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1')
}
