const CR = 0x0d
const LF = 0x0a

/**
 * The stray CR LF that some servers send after a response. It is dropped, as RFC 9112 §2.2 says for requests, but only
 * one per response, so that a server can't keep a connection busy with line ends.
 */
export class StrayLineEnd {
  /** Number of bytes dropped since `reset`. Begins at 2, the maximum: nothing is dropped before the first response. */
  #bytes = 2

  /** True if a CR was dropped that has no LF yet. */
  get isHalf(): boolean {
    return this.#bytes === 1
  }

  /** Returns the offset after a CR LF, or after the part of it that has arrived. Returns `from` if there is none. */
  skip(data: Buffer, from: number): number {
    let at = from
    while (at < data.length && this.#bytes < 2 && data[at] === (this.#bytes === 0 ? CR : LF)) {
      at += 1
      this.#bytes += 1
    }
    return at
  }

  /** Allows another CR LF. */
  reset(): void {
    this.#bytes = 0
  }
}
