import type { Expected, ResponseEvents } from './response-events.js'
import { parseChunkSize, parseFields, parseHead } from './response-head.js'
import type { ResponseHead } from './response-head.js'
import { StrayLineEnd } from './stray-line-end.js'
import { UnparsedData } from './unparsed-data.js'
import { UpstreamError } from './upstream-error.js'

/** Limit for trailers and for the first line of a chunk, in bytes. */
const FRAMING = { max: 16_384, tooLarge: 'bad_chunk', bad: 'bad_chunk' }
/** The default limit for a head, in bytes. */
export const MAX_HEAD_BYTES = 65_536
const CRLF = Buffer.from('\r\n')
const HEAD_END = Buffer.from('\r\n\r\n')
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
  readonly #headLimits: { readonly max: number; readonly tooLarge: string; readonly bad: string }
  #state: State = 'over'
  #expected: Expected = { isHead: false, isUpgrade: false }
  readonly #unparsed = new UnparsedData()
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
    this.#headLimits = { max: maxHead, tooLarge: 'head_too_large', bad: 'bad_head' }
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
    return this.#state === 'over' && this.#isKept && this.#unparsed.isEmpty
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
    this.#unparsed.append(data)
    if (this.#state === 'over') this.#unparsed.skip(this.#stray)
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
      this.#unparsed.skip(this.#stray)
      this.#events.onEnd(this.#trailers)
    } else if (!this.#unparsed.isEmpty) {
      return this.#step()
    } else {
      if (this.#state !== 'until-close' || !this.#isClosed) return false
      this.#state = 'ended'
    }
    return true
  }

  /** Parses one part of the response. Returns false if more data is needed. */
  #step(): boolean {
    switch (this.#state) {
      case 'head':
        return this.#readHead()
      case 'sized':
      case 'chunk-data':
        return this.#readPiece()
      case 'until-close':
        return this.#emitData(this.#unparsed.take())
      case 'chunk':
        return this.#readChunk()
      case 'chunk-end':
        return this.#readChunkEnd()
      case 'trailers':
        return this.#readTrailers()
      case 'ended':
      case 'over':
        return false
    }
  }

  #readHead(): boolean {
    this.#unparsed.skip(this.#stray)
    if (this.#unparsed.isEmpty) return true
    if (this.#stray.isHalf) throw new UpstreamError('broken', 'bad_head')
    const text = this.#unparsed.readUntil(HEAD_END, this.#headLimits)
    if (text === undefined) {
      if (!this.#unparsed.mayStartWith('HTTP/1.')) throw new UpstreamError('broken', 'bad_head')
      return false
    }
    const head = parseHead(`${text}\r\n`)
    if (head.status === 101) this.#upgrade(head)
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

  #upgrade(head: ResponseHead): void {
    if (!this.#expected.isUpgrade) throw new UpstreamError('broken', 'unasked_upgrade')
    this.#state = 'over'
    this.#isKept = false
    this.#events.onUpgrade(head, this.#unparsed.take())
  }

  #readPiece(): boolean {
    const piece = this.#unparsed.take(this.#remaining)
    this.#remaining -= piece.length
    if (this.#remaining === 0) this.#state = this.#state === 'sized' ? 'ended' : 'chunk-end'
    return this.#emitData(piece)
  }

  #emitData(piece: Buffer): true {
    this.#events.onData(piece)
    return true
  }

  #readChunk(): boolean {
    const line = this.#unparsed.readUntil(CRLF, FRAMING)
    if (line === undefined) return false
    this.#remaining = parseChunkSize(line)
    this.#state = this.#remaining === 0 ? 'trailers' : 'chunk-data'
    return true
  }

  #readChunkEnd(): boolean {
    const line = this.#unparsed.readUntil(CRLF, FRAMING)
    if (line === undefined && this.#unparsed.firstByte === CRLF[0]) return false
    if (line !== '') throw new UpstreamError('broken', 'bad_chunk')
    this.#state = 'chunk'
    return true
  }

  #readTrailers(): boolean {
    const isEmpty = this.#unparsed.firstByte === CRLF[0]
    const text = this.#unparsed.readUntil(isEmpty ? CRLF : HEAD_END, FRAMING)
    if (text === undefined) return false
    if (!isEmpty) this.#trailers = parseFields(`${text}\r\n`)
    this.#state = 'ended'
    return true
  }
}
