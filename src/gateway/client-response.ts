import { STATUS_CODES } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Milliseconds } from '../clock.js'
import type { HeaderRules } from './header-rules.js'
import type { ResponseHead } from './http1-client/response-head.js'

/** The connection to the upstream, from which the response is read. */
export interface Source {
  pause(): void
  resume(): void
}

/** Limit for interim responses (1xx) per request. A client has no means to stop them. */
const MAX_INTERIM_RESPONSES = 8

/** The client's side of an exchange. Writes the upstream's response to the client. */
export class ClientResponse {
  readonly #request: IncomingMessage
  #interimCount = 0
  readonly #response: ServerResponse
  readonly #rules: HeaderRules
  readonly #idle: Milliseconds
  readonly #client: Socket
  /** The response head until it is written. */
  #head: ResponseHead | undefined
  /** True if the response has a `Content-Length`. */
  #hasLength = false
  /** True if the whole response was handed to Node, or was dropped. */
  #ended = false
  /**
   * The first piece of the body, kept until the next piece, the end, or the next tick. If it is the whole body, it goes
   * into one write with the head. `null` after it was written.
   */
  #firstPiece: Buffer | null | undefined
  /** The original timeout of the client's connection, restored when the client reads again. Set by the first stall. */
  #clientTimeout: number | undefined

  /** @param idle Time in milliseconds after which a client that reads nothing of the response is disconnected. */
  constructor(request: IncomingMessage, response: ServerResponse, rules: HeaderRules, idle: Milliseconds) {
    this.#request = request
    this.#response = response
    this.#rules = rules
    this.#idle = idle
    this.#client = request.socket
  }

  /** True if the head was written. */
  get isBegun(): boolean {
    return this.#response.headersSent
  }

  /** True if no more of the response will be written. */
  get isEnded(): boolean {
    return this.#ended
  }

  /** True if the whole response was passed to the operating system. */
  get isWhole(): boolean {
    return this.#ended && this.#response.writableFinished
  }

  /**
   * Starts the response. Delays the head by one tick, because body data that arrived with it goes into the same write.
   */
  begin(head: ResponseHead, source: Source): void {
    this.#head = head
    this.#hasLength = head.length !== undefined
    process.nextTick(release, this, source)
  }

  /** Writes an interim response, such as 103 (RFC 9110 §15.2). HTTP/1.0 clients don't get any. */
  hint({ status, headers: raw }: ResponseHead): void {
    // A 100 from the upstream, which may come without `Expect`, is for this gateway only (RFC 9110 §15.2).
    const isOld = this.#request.httpVersion === '1.0'
    if (status === 100 || isOld || this.isBegun || this.#interimCount === MAX_INTERIM_RESPONSES) return
    this.#interimCount += 1
    const headers = this.#rules.response(raw)
    let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'unknown'}\r\n`
    for (let at = 0; at < headers.length; at += 2) head += `${headers[at]}: ${headers[at + 1]}\r\n`
    // Node has no method for arbitrary interim responses. Nothing else writes to the socket before the final head.
    this.#client.write(`${head}\r\n`, 'latin1')
  }

  /** Drops the response. The caller of `forward` sends an error instead. */
  drop(): void {
    this.#ended = true
  }

  #writeHead(): void {
    if (this.#head === undefined) return
    const { status, reason, headers: raw } = this.#head
    this.#head = undefined
    const headers = this.#rules.response(raw)
    if (status === 204) removeContentLength(headers)
    writeHead(this.#response, status, reason, headers)
  }

  /** Writes a piece of the body. Pauses `source` while the client doesn't read. */
  write(chunk: Buffer, source: Source): void {
    if (this.#firstPiece === undefined && chunk.length < this.#response.writableHighWaterMark) {
      this.#firstPiece = chunk
      return
    }
    this.#writeFirstPiece(source)
    this.#writePiece(chunk, source)
  }

  /** Writes the head and the first piece, if the response didn't end in the tick in which it began. */
  release(source: Source): void {
    if (this.#ended || this.#response.destroyed) return
    const isAlone = this.#firstPiece === undefined
    this.#writeFirstPiece(source)
    if (isAlone) this.#response.flushHeaders()
  }

  #writeFirstPiece(source: Source): void {
    const first = this.#firstPiece
    this.#firstPiece = null
    this.#writeHead()
    if (first) this.#writePiece(first, source)
  }

  #writePiece(chunk: Buffer, source: Source): void {
    if (this.#response.write(chunk)) return
    source.pause()
    if (this.#clientTimeout === undefined) {
      this.#clientTimeout = this.#client.timeout ?? 0
      this.#response.on('drain', () => this.#onDrain(source))
      // No 'drain' is emitted after the end of the response.
      this.#response.once('finish', () => this.#client.resume())
    }
    this.#limitStall()
  }

  /**
   * Limits the time in which the client reads nothing, with the socket's own timeout, because progress within one write
   * restarts it. Data from the client would restart it, too. The socket is therefore paused, unless the body of this
   * request is still arriving.
   */
  #limitStall(): void {
    this.#client.setTimeout(this.#idle)
    if (this.#request.complete) this.#client.pause()
  }

  #onDrain(source: Source): void {
    if (this.#ended) return void this.#client.resume()
    this.#client.setTimeout(this.#clientTimeout ?? 0)
    source.resume()
    // Must come last: Node starts to read in the next tick, even if the socket is paused again before that.
    if (!this.#response.writableNeedDrain) this.#client.resume()
  }

  /**
   * Ends the response.
   *
   * @param trailers Names and values in turn, as received.
   */
  end(trailers: readonly string[] = []): void {
    this.#writeHead()
    if (trailers.length > 0) this.#response.addTrailers(this.#rules.trailers(trailers))
    this.#ended = true
    this.#response.end(this.#firstPiece ?? undefined)
    if (this.#client.writableLength > 0) this.#client.setTimeout(this.#idle)
  }

  /**
   * Closes the client's connection in a way that shows that the response is incomplete.
   *
   * @param isUrgent Also discards the data in the send buffer of the operating system. Has no effect with TLS.
   */
  cut(isUrgent: boolean): void {
    const client = this.#client
    // A response that ends with the connection looks complete after a normal close. TLS itself shows the truncation.
    const showsTruncation = this.#hasLength || this.#response.chunkedEncoding
    if (client instanceof TLSSocket || (showsTruncation && !isUrgent)) client.destroy()
    else client.resetAndDestroy()
  }
}

/**
 * Writes a response head. A header that is already set on `response` replaces the upstream's header of that name, but
 * the client gets `Vary` and `Set-Cookie` from both.
 *
 * @param headers Names and values in turn.
 */
/** Headers whose values of the gateway and of the upstream are both sent. */
const LISTS = new Set(['vary', 'set-cookie', 'access-control-expose-headers'])

export function writeHead(response: ServerResponse, status: number, message = '', headers: string[]): void {
  // Some clients reject a reason phrase that isn't ASCII.
  const reason = /^[\t -~]+$/.test(message) ? message : (STATUS_CODES[status] ?? 'unknown')
  const preset = response.getHeaderNames()
  if (preset.length === 0) return void response.writeHead(status, reason, headers)
  // If headers are set before `writeHead`, that call keeps only the last of several headers with one name.
  for (let at = 0; at < headers.length; at += 2) {
    const lower = headers[at]!.toLowerCase()
    const isAdded = LISTS.has(lower) || !preset.includes(lower)
    if (isAdded) response.appendHeader(headers[at]!, headers[at + 1]!)
  }
  response.writeHead(status, reason)
}

function release(clientResponse: ClientResponse, source: Source): void {
  clientResponse.release(source)
}

function removeContentLength(headers: string[]): void {
  for (let at = headers.length - 2; at >= 0; at -= 2) {
    if (headers[at]!.toLowerCase() === 'content-length') headers.splice(at, 2)
  }
}
