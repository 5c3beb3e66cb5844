/**
 * Remembers tokens whose signature and claims were found good, so that a token is verified once, not on each request.
 */

/** Of a token, its last characters: of its signature, so as good as random for every token that was verified. */
const KEY_LENGTH = 22

/** `hits` and `misses` since the start; `size`: tokens held now. */
export interface VerifiedCacheStats {
  readonly hits: number
  readonly misses: number
  readonly size: number
}

/**
 * A bounded map from whole tokens to what they say. Only what was verified may enter, so junk can't displace
 * anything.
 *
 * First in, first out, however often one is used: to verify it again, once in as many newcomers as there is room for,
 * costs less than to keep account of each use.
 */
export class VerifiedCache<T extends { readonly token: string }> {
  readonly #room: number
  readonly #tokens = new Map<string, T>()
  /** One iterator for good: a new one would step over the holes of all that was deleted. */
  readonly #oldest = this.#tokens.keys()
  #hits = 0
  #misses = 0

  /** @param room How many tokens it may hold; 0: none. */
  constructor(room: number) {
    this.#room = room
  }

  get stats(): VerifiedCacheStats {
    return { hits: this.#hits, misses: this.#misses, size: this.#tokens.size }
  }

  get(token: string): T | undefined {
    const found = this.#tokens.get(token.slice(-KEY_LENGTH))
    // Two tokens may end alike; only the very same one counts.
    if (found === undefined || found.token !== token) {
      this.#misses += 1
      return undefined
    }
    this.#hits += 1
    return found
  }

  /** @param verified One object has all that a request needs: each further one would have to come from memory. */
  set(verified: T): void {
    if (this.#room === 0) return
    const tail = ownCopy(verified.token.slice(-KEY_LENGTH))
    if (this.#tokens.size >= this.#room && !this.#tokens.has(tail)) {
      this.#tokens.delete(this.#oldest.next().value!)
    }
    this.#tokens.set(tail, verified)
  }

  delete({ token }: T): void {
    const tail = token.slice(-KEY_LENGTH)
    if (this.#tokens.get(tail)?.token === token) this.#tokens.delete(tail)
  }
}

/** For what is kept: text that was cut out of a longer one keeps all of that in memory. */
export function ownCopy(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1')
}
