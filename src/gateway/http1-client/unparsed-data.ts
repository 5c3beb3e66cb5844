import type { StrayLineEnd } from './stray-line-end.js'
import { UpstreamError } from './upstream-error.js'

const MIN_CAPACITY = 1024
/** A line end other than CR LF, or NUL. Incomplete text with one of these is rejected before the rest arrives. */
const MALFORMED_LINE = /\r[^\n]|[^\r]\n|^\n|\0/
/** The same for text that doesn't begin with its first byte. */
const MALFORMED_REST = /\r[^\n]|[^\r]\n|\0/
const EMPTY = Buffer.alloc(0)

/**
 * Data that has arrived but isn't parsed yet. The work is linear in the number of bytes, even if they arrive one by one:
 * a piece is copied only behind incomplete data, into a buffer with room, and no byte is searched twice.
 */
export class UnparsedData {
  #data: Buffer | undefined
  /** The offset in `#data` of the first byte that isn't parsed. */
  #at = 0
  /** Number of bytes after `#at` in which no delimiter was found. */
  #searched = 0
  /** A buffer of our own, which begins with `#data` and has room behind it. */
  #room: Buffer | undefined

  get isEmpty(): boolean {
    return this.#data === undefined
  }

  /** The first byte. `undefined` if there is none. */
  get firstByte(): number | undefined {
    return this.#data?.[this.#at]
  }

  append(piece: Buffer): void {
    if (this.#data === undefined) this.#data = piece
    else if (piece.length > 0) this.#grow(this.#data, piece)
  }

  #grow(data: Buffer, piece: Buffer): void {
    const length = data.length - this.#at + piece.length
    if (this.#room === undefined || this.#room.length < data.length + piece.length) {
      // Twice the length, so that the cost of copying is constant per byte.
      this.#room = Buffer.allocUnsafe(Math.max(MIN_CAPACITY, 2 * length))
      data.copy(this.#room, 0, this.#at)
      this.#at = 0
    }
    const end = this.#at + length
    piece.copy(this.#room, end - piece.length)
    this.#data = this.#room.subarray(0, end)
  }

  clear(): void {
    this.#data = this.#room = undefined
    this.#at = this.#searched = 0
  }

  /** Removes a stray line end from the beginning. */
  skip(stray: StrayLineEnd): void {
    if (this.#data !== undefined) this.#moveTo(stray.skip(this.#data, this.#at))
  }

  /** Removes and returns up to `size` bytes. */
  take(size = Number.POSITIVE_INFINITY): Buffer {
    const data = this.#data ?? EMPTY
    const from = this.#at
    const to = Math.min(data.length, from + size)
    this.#moveTo(to)
    return from === 0 && to === data.length ? data : data.subarray(from, to)
  }

  /** Returns true if the data is the beginning of the text, or begins with it. */
  mayStartWith(text: string): boolean {
    const begun = this.#data?.toString('latin1', this.#at, this.#at + text.length) ?? ''
    return text.startsWith(begun)
  }

  /**
   * Removes everything up to and with a delimiter, and returns the text before the delimiter in Latin-1. Returns
   * `undefined` if the delimiter hasn't arrived yet.
   *
   * @throws {UpstreamError} `broken` with the reason `tooLarge` for more than `max` bytes, or `bad` for malformed lines
   */
  readUntil(
    delimiter: Buffer,
    { max, tooLarge, bad }: { readonly max: number; readonly tooLarge: string; readonly bad: string },
  ): string | undefined {
    const data = this.#data ?? EMPTY
    const at = this.#at
    // The delimiter may begin with the last bytes that were searched.
    const to = data.indexOf(delimiter, at + Math.max(0, this.#searched - delimiter.length + 1))
    if ((to === -1 ? data.length : to) - at > max) throw new UpstreamError('broken', tooLarge)
    if (to !== -1) {
      const text = data.toString('latin1', at, to)
      this.#moveTo(to + delimiter.length)
      return text
    }
    const isFirst = this.#searched === 0
    const text = data.toString('latin1', at + Math.max(0, this.#searched - 1))
    if ((isFirst ? MALFORMED_LINE : MALFORMED_REST).test(text)) throw new UpstreamError('broken', bad)
    this.#searched = data.length - at
    return undefined
  }

  #moveTo(at: number): void {
    if (this.#data !== undefined && at >= this.#data.length) return this.clear()
    if (at === this.#at) return
    this.#at = at
    this.#searched = 0
  }
}
