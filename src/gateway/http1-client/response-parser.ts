import { parseChunkSize, parseFields, parseHead } from './response-head.js'
import type { ResponseHead } from './response-head.js'
import { UpstreamError } from './upstream-error.js'

/** What a parser tells, in this order; nothing while it is paused. */
export interface ResponseEvents {
  /** 1xx, any number of them. */
  onInterim(head: ResponseHead): void
  onHead(head: ResponseHead): void
  onData(piece: Buffer): void
  /** @param trailers As `ResponseHead.headers`. */
  onEnd(trailers: string[]): void
  /** 101, in place of all that; nothing follows. `rest` is already of the other protocol. */
  onUpgrade(head: ResponseHead, rest: Buffer): void
}

/** What the request says of its answer. */
export interface Expected {
  /** It was HEAD. */
  readonly isHead: boolean
  readonly isUpgrade: boolean
}

/** Longest head, trailers, and line that frames a chunk, in bytes. */
const LONGEST = 16_384
const CRLF = Buffer.from('\r\n')
const HEAD_END = Buffer.from('\r\n\r\n')
/** A line that ends otherwise than by CR LF, and NUL: waiting for the rest of it would be in vain. */
const NEVER_WELL = /\r[^\n]|[^\r]\n|^\n|\0/
type State =
  | 'head'
  | 'sized'
  | 'until-close'
  | 'chunk'
  | 'chunk-data'
  | 'chunk-end'
  | 'trailers'
  /** All has come; that is yet to be told. */
  | 'ended'
  | 'over'

/**
 * Reads the answers that come on a connection, one for each request (RFC 9112). Strictly: what two readers could read
 * differently, or what isn't HTTP/1.x, is an error, and the connection is then of no more use.
 */
export class ResponseParser {
  readonly #events: ResponseEvents
  #state: State = 'over'
  #expected: Expected = { isHead: false, isUpgrade: false }
  /** What was read but not parsed yet, from `#at`. */
  #data: Buffer | undefined
  #at = 0
  /** Of the body, or of the chunk, in bytes. */
  #left = 0
  #trailers: string[] = []
  #isKept = false
  #keepAlive: number | undefined
  #isPaused = false
  #isClosed = false
  #isRunning = false

  constructor(events: ResponseEvents) {
    this.#events = events
  }

  /** An answer is due. */
  expect(expected: Expected): void {
    this.#expected = expected
    this.#state = 'head'
    this.#isPaused = false
  }

  /** The answer's head hasn't come yet. */
  get isInHead(): boolean {
    return this.#state === 'head'
  }

  /** All of the answer has come, though its end may not be told yet. */
  get isWhole(): boolean {
    return this.#state === 'ended' || this.#state === 'over'
  }

  /** The answer has come to its end, nothing came behind it, and the connection may carry another one. */
  get isReusable(): boolean {
    return this.#state === 'over' && this.#isKept && this.#data === undefined
  }

  /** For how long the server keeps the connection now, in seconds; undefined: it didn't say. */
  get keepAlive(): number | undefined {
    return this.#keepAlive
  }

  /** @throws {UpstreamError} `broken` */
  read(data: Buffer): void {
    this.#data = this.#data === undefined ? data : Buffer.concat([this.#data.subarray(this.#at), data])
    this.#at = 0
    this.#run()
  }

  pause(): void {
    this.#isPaused = true
  }

  /** @throws {UpstreamError} `broken` */
  resume(): void {
    this.#isPaused = false
    this.#run()
  }

  /**
   * The connection has ended in order: so does an answer that lasts until then.
   *
   * @throws {UpstreamError} `lost`: something of the answer is missing
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

  /** Says false where there is nothing to go on with. */
  #advance(): boolean {
    if (this.#state === 'ended') {
      this.#state = 'over'
      this.#events.onEnd(this.#trailers)
    } else if (this.#data !== undefined) {
      if (!this.#step(this.#data)) return false
      if (this.#data !== undefined && this.#at >= this.#data.length) this.#data = undefined
    } else {
      if (this.#state !== 'until-close' || !this.#isClosed) return false
      this.#state = 'ended'
    }
    return true
  }

  /** Says false where it needs more to go on. */
  #step(data: Buffer): boolean {
    switch (this.#state) {
      case 'head':
        return this.#readHead(data)
      case 'sized':
      case 'chunk-data':
        return this.#readPiece(data)
      case 'until-close':
        return this.#pass(data, data.length - this.#at)
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
    const text = this.#until(HEAD_END, data, 'head_too_large', 'bad_head')
    if (text === undefined) {
      const begun = data.toString('latin1', this.#at, this.#at + 7)
      if (!'HTTP/1.'.startsWith(begun)) throw new UpstreamError('broken', 'bad_head')
      return false
    }
    const head = parseHead(`${text}\r\n`)
    if (head.status === 101) this.#switch(head, data.subarray(this.#at))
    else if (head.status < 200) this.#hint(head)
    else this.#begin(head)
    return true
  }

  #hint(head: ResponseHead): void {
    // It has no body (RFC 9110 §8.6), and whoever reads one takes the answer itself for it.
    if (head.isChunked || head.length !== undefined) throw new UpstreamError('broken', 'bad_framing')
    this.#events.onInterim(head)
  }

  #begin(head: ResponseHead): void {
    const { status, length, isChunked, isKept, keepAlive } = head
    const isBodiless = this.#expected.isHead || status === 204 || status === 304 || length === 0
    // RFC 9110 §8.6: a 204 has none. One that announces a body may send it, too.
    const isBroken = status === 204 && (isChunked || (length ?? 0) > 0)
    this.#isKept = isKept && !isBroken && (isBodiless || isChunked || length !== undefined)
    this.#keepAlive = keepAlive
    this.#left = length ?? 0
    this.#trailers = []
    if (isBodiless) this.#state = 'ended'
    else if (isChunked) this.#state = 'chunk'
    else this.#state = length === undefined ? 'until-close' : 'sized'
    this.#events.onHead(head)
  }

  #switch(head: ResponseHead, rest: Buffer): void {
    if (!this.#expected.isUpgrade) throw new UpstreamError('broken', 'unasked_upgrade')
    this.#state = 'over'
    this.#isKept = false
    this.#data = undefined
    this.#events.onUpgrade(head, rest)
  }

  #readPiece(data: Buffer): boolean {
    const size = Math.min(this.#left, data.length - this.#at)
    this.#left -= size
    if (this.#left === 0) this.#state = this.#state === 'sized' ? 'ended' : 'chunk-end'
    return this.#pass(data, size)
  }

  #pass(data: Buffer, size: number): true {
    const from = this.#at
    this.#at += size
    this.#events.onData(size === data.length ? data : data.subarray(from, from + size))
    return true
  }

  #readChunk(data: Buffer): boolean {
    const line = this.#until(CRLF, data, 'bad_chunk', 'bad_chunk')
    if (line === undefined) return false
    this.#left = parseChunkSize(line)
    this.#state = this.#left === 0 ? 'trailers' : 'chunk-data'
    return true
  }

  #readChunkEnd(data: Buffer): boolean {
    const line = this.#until(CRLF, data, 'bad_chunk', 'bad_chunk')
    if (line === undefined && data[this.#at] === CRLF[0]) return false
    if (line !== '') throw new UpstreamError('broken', 'bad_chunk')
    this.#state = 'chunk'
    return true
  }

  #readTrailers(data: Buffer): boolean {
    const isOver = data[this.#at] === CRLF[0]
    const text = this.#until(isOver ? CRLF : HEAD_END, data, 'bad_chunk', 'bad_chunk')
    if (text === undefined) return false
    if (!isOver) this.#trailers = parseFields(`${text}\r\n`)
    this.#state = 'ended'
    return true
  }

  /** What comes before an end, in Latin-1, and goes past it. Undefined: it hasn't come yet. */
  #until(end: Buffer, data: Buffer, tooLarge: string, bad: string): string | undefined {
    const to = data.indexOf(end, this.#at)
    if ((to === -1 ? data.length : to) - this.#at > LONGEST) throw new UpstreamError('broken', tooLarge)
    const text = data.toString('latin1', this.#at, to === -1 ? undefined : to)
    if (to === -1) {
      if (NEVER_WELL.test(text)) throw new UpstreamError('broken', bad)
      return undefined
    }
    this.#at = to + end.length
    return text
  }
}
