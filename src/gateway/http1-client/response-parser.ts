import { parseChunkSize, parseFields, parseHead } from './response-head.js'
import type { ResponseHead } from './response-head.js'
import { StrayLineEnd } from './stray-line-end.js'
import { UpstreamError } from './upstream-error.js'

/** The events of a parser, in this order. A paused parser emits none. */
export interface ResponseEvents {
  /** Called for each interim response (1xx). */
  onInterim(head: ResponseHead): void
  onHead(head: ResponseHead): void
  onData(piece: Buffer): void
  /** @param trailers Names and values in turn, like `ResponseHead.headers`. */
  onEnd(trailers: string[]): void
  /** Called for a 101, instead of `onHead` and all later events. `rest` is data of the new protocol. */
  onUpgrade(head: ResponseHead, rest: Buffer): void
}

/** The properties of a request that decide how its response is parsed. */
export interface Expected {
  /** True for the method HEAD, whose response has no body. */
  readonly isHead: boolean
  readonly isUpgrade: boolean
}

/** Limit for trailers and for the first line of a chunk, in bytes. */
const MAX_FRAMING_BYTES = 16_384
/** The default limit for a head, in bytes. */
export const MAX_HEAD_BYTES = 65_536
const CRLF = Buffer.from('\r\n')
const HEAD_END = Buffer.from('\r\n\r\n')
/** A line end other than CR LF, or NUL. Incomplete text with one of these is rejected before the rest arrives. */
const MALFORMED_LINE = /\r[^\n]|[^\r]\n|^\n|\0/
type State =
  | 'head'
  | 'sized'
  | 'until-close'
  | 'chunk'
  | 'chunk-data'
  | 'chunk-end'
  | 'trailers'
  /** The response is complete, but `onEnd` is still to be called. */
  | 'ended'
  | 'over'

/**
 * Parses the responses on a connection, one per request (RFC 9112). The parser is strict: it throws an error if a
 * response isn't HTTP/1.x, or if two parsers could read it differently. The connection can't be used after an error.
 */
export class ResponseParser {
  readonly #events: ResponseEvents
  readonly #maxHead: number
  #state: State = 'over'
  #expected: Expected = { isHead: false, isUpgrade: false }
  /** Data that is not parsed yet, starting at offset `#at`. */
  #data: Buffer | undefined
  #at = 0
  /** Remaining length of the body or of the chunk, in bytes. */
  #remaining = 0
  #trailers: string[] = []
  readonly #stray = new StrayLineEnd()
  #isKept = false
  #keepAlive: number | undefined
  #isPaused = false
  #isClosed = false
  #isRunning = false

  /** @param maxHead Limit for a head, in bytes. */
  constructor(events: ResponseEvents, maxHead = MAX_HEAD_BYTES) {
    this.#events = events
    this.#maxHead = maxHead
  }

  /** Starts to parse the response of another request. */
  expect(expected: Expected): void {
    this.#expected = expected
    this.#state = 'head'
    this.#isPaused = false
  }

  /** True until the response head is complete. */
  get isInHead(): boolean {
    return this.#state === 'head'
  }

  /** True if the response is complete, even if `onEnd` was not called yet. */
  get isWhole(): boolean {
    return this.#state === 'ended' || this.#state === 'over'
  }

  /**
   * True if the connection can carry another request: the response has ended, its end was marked by a length or a last
   * chunk, no data follows it, and its head allows another request.
   */
  get isReusable(): boolean {
    return this.#state === 'over' && this.#isKept && this.#data === undefined
  }

  /**
   * The time for which the server keeps the idle connection, in seconds. `undefined` if the response didn't state it.
   */
  get keepAlive(): number | undefined {
    return this.#keepAlive
  }

  /**
   * Parses more data. After a response, `isReusable` remains true only if the data is one stray CR LF.
   *
   * @throws {UpstreamError} `broken` if the response is invalid.
   */
  read(data: Buffer): void {
    this.#data = this.#data === undefined ? data : Buffer.concat([this.#data.subarray(this.#at), data])
    this.#at = 0
    if (this.#state === 'over') this.#skipStray()
    this.#run()
  }

  pause(): void {
    this.#isPaused = true
  }

  /**
   * Continues after `pause`.
   *
   * @throws {UpstreamError} `broken` if the response is invalid, `lost` if the connection has ended before the
   * response.
   */
  resume(): void {
    this.#isPaused = false
    this.#run()
  }

  /**
   * Handles the regular end of the connection, which is also the end of a response without other framing.
   *
   * @throws {UpstreamError} `lost` if the response is incomplete.
   */
  close(): void {
    this.#isClosed = true
    this.#run()
  }

  #run(): void {
    if (this.#isRunning) return
    this.#isRunning = true
    try {
      while (!this.#isPaused && this.#state !== 'over' && this.#advance());
    } finally {
      this.#isRunning = false
    }
    const isCut = this.#isClosed && !this.#isPaused && this.#state !== 'over'
    if (isCut) throw new UpstreamError('lost', 'closed')
  }

  /** Takes one step. Returns false if more data is needed. */
  #advance(): boolean {
    if (this.#state === 'ended') {
      this.#state = 'over'
      this.#skipStray()
      this.#events.onEnd(this.#trailers)
    } else if (this.#data !== undefined) {
      if (!this.#step(this.#data)) return false
      this.#dropParsed()
    } else {
      if (this.#state !== 'until-close' || !this.#isClosed) return false
      this.#state = 'ended'
    }
    return true
  }

  #dropParsed(): void {
    if (this.#data !== undefined && this.#at >= this.#data.length) this.#data = undefined
  }

  #skipStray(): void {
    if (this.#data === undefined) return
    this.#at = this.#stray.skip(this.#data, this.#at)
    this.#dropParsed()
  }

  /** Parses one part of the response. Returns false if more data is needed. */
  #step(data: Buffer): boolean {
    switch (this.#state) {
      case 'head':
        return this.#readHead(data)
      case 'sized':
      case 'chunk-data':
        return this.#readPiece(data)
      case 'until-close':
        return this.#emitData(data, data.length - this.#at)
      case 'chunk':
        return this.#readChunk(data)
      case 'chunk-end':
        return this.#readChunkEnd(data)
      case 'trailers':
        return this.#readTrailers(data)
      case 'ended':
      case 'over':
        return false
    }
  }

  #readHead(data: Buffer): boolean {
    this.#at = this.#stray.skip(data, this.#at)
    if (this.#at >= data.length) return true
    if (this.#stray.isHalf) throw new UpstreamError('broken', 'bad_head')
    const text = this.#readUntil(HEAD_END, data, 'head_too_large', 'bad_head', this.#maxHead)
    if (text === undefined) {
      const begun = data.toString('latin1', this.#at, this.#at + 7)
      if (!'HTTP/1.'.startsWith(begun)) throw new UpstreamError('broken', 'bad_head')
      return false
    }
    const head = parseHead(`${text}\r\n`)
    if (head.status === 101) this.#upgrade(head, data.subarray(this.#at))
    else if (head.status < 200) this.#emitInterim(head)
    else this.#beginBody(head)
    return true
  }

  #emitInterim(head: ResponseHead): void {
    // An interim response has no body (RFC 9110 §8.6). A parser that expects one would read the final response as the
    // body.
    if (head.isChunked || head.length !== undefined) throw new UpstreamError('broken', 'bad_framing')
    this.#events.onInterim(head)
  }

  #beginBody(head: ResponseHead): void {
    const { status, length, isChunked, isKept, keepAlive } = head
    const isBodiless = this.#expected.isHead || status === 204 || status === 304
    // Some servers send a body anyway, at any later time. It would be read as the next response.
    this.#isKept = isKept && !isBodiless && (isChunked || length !== undefined)
    this.#keepAlive = keepAlive
    this.#remaining = length ?? 0
    this.#trailers = []
    this.#stray.reset()
    if (isBodiless || length === 0) this.#state = 'ended'
    else if (isChunked) this.#state = 'chunk'
    else this.#state = length === undefined ? 'until-close' : 'sized'
    this.#events.onHead(head)
  }

  #upgrade(head: ResponseHead, rest: Buffer): void {
    if (!this.#expected.isUpgrade) throw new UpstreamError('broken', 'unasked_upgrade')
    this.#state = 'over'
    this.#isKept = false
    this.#data = undefined
    this.#events.onUpgrade(head, rest)
  }

  #readPiece(data: Buffer): boolean {
    const size = Math.min(this.#remaining, data.length - this.#at)
    this.#remaining -= size
    if (this.#remaining === 0) this.#state = this.#state === 'sized' ? 'ended' : 'chunk-end'
    return this.#emitData(data, size)
  }

  #emitData(data: Buffer, size: number): true {
    const from = this.#at
    this.#at += size
    this.#events.onData(size === data.length ? data : data.subarray(from, from + size))
    return true
  }

  #readChunk(data: Buffer): boolean {
    const line = this.#readUntil(CRLF, data, 'bad_chunk', 'bad_chunk')
    if (line === undefined) return false
    this.#remaining = parseChunkSize(line)
    this.#state = this.#remaining === 0 ? 'trailers' : 'chunk-data'
    return true
  }

  #readChunkEnd(data: Buffer): boolean {
    const line = this.#readUntil(CRLF, data, 'bad_chunk', 'bad_chunk')
    if (line === undefined && data[this.#at] === CRLF[0]) return false
    if (line !== '') throw new UpstreamError('broken', 'bad_chunk')
    this.#state = 'chunk'
    return true
  }

  #readTrailers(data: Buffer): boolean {
    const isEmpty = data[this.#at] === CRLF[0]
    const text = this.#readUntil(isEmpty ? CRLF : HEAD_END, data, 'bad_chunk', 'bad_chunk')
    if (text === undefined) return false
    if (!isEmpty) this.#trailers = parseFields(`${text}\r\n`)
    this.#state = 'ended'
    return true
  }

  /**
   * Reads up to and past a delimiter. Returns the text before it in Latin-1, or `undefined` if it hasn't arrived yet.
   */
  #readUntil(
    delimiter: Buffer,
    data: Buffer,
    tooLarge: string,
    bad: string,
    max = MAX_FRAMING_BYTES,
  ): string | undefined {
    const to = data.indexOf(delimiter, this.#at)
    if ((to === -1 ? data.length : to) - this.#at > max) throw new UpstreamError('broken', tooLarge)
    const text = data.toString('latin1', this.#at, to === -1 ? undefined : to)
    if (to === -1) {
      if (MALFORMED_LINE.test(text)) throw new UpstreamError('broken', bad)
      return undefined
    }
    this.#at = to + delimiter.length
    return text
  }
}
