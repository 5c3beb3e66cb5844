import { STATUS_CODES } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Milliseconds } from '../clock.js'
import type { HeaderRules } from './header-rules.js'
import type { ResponseHead } from './http1-client/response-head.js'

/** Where the answer comes from. */
export interface Source {
  pause(): void
  resume(): void
}

/** Interim answers that are passed on. A client can't say that it takes no more of them. */
const MAX_HINTS = 8

/** The client's side of an exchange: the upstream's answer as it is passed on. */
export class ClientResponse {
  readonly #request: IncomingMessage
  #hints = 0
  readonly #response: ServerResponse
  readonly #rules: HeaderRules
  readonly #idle: Milliseconds
  readonly #client: Socket
  /** Not written yet. */
  #head: ResponseHead | undefined
  /** It says by its own length or framing where it ends. */
  #framed = false
  /** All of it was handed to Node. */
  #ended = false
  /**
   * Held until what was read with it is known: what is all of the body goes in one write with the head. null: passed.
   */
  #first: Buffer | null | undefined
  /** The client connection's own timeout, put back when a stalled client reads on; undefined before the first stall. */
  #clientTimeout: number | undefined

  /** @param idle How long a client may take nothing of it. */
  constructor(request: IncomingMessage, response: ServerResponse, rules: HeaderRules, idle: Milliseconds) {
    this.#request = request
    this.#response = response
    this.#rules = rules
    this.#idle = idle
    this.#client = request.socket
  }

  /** Its head was passed on. */
  get isBegun(): boolean {
    return this.#response.headersSent
  }

  get isEnded(): boolean {
    return this.#ended
  }

  /** All of it has left for the client. */
  get isWhole(): boolean {
    return this.#ended && this.#response.writableFinished
  }

  /** What comes with the head is waited for, as long as it is there already. */
  begin(head: ResponseHead, source: Source): void {
    this.#head = head
    this.#framed = head.length !== undefined
    process.nextTick(release, this, source)
  }

  /** Passes an interim answer on, such as 103 (RFC 9110 §15.2); not to HTTP/1.0, which knows none. */
  hint({ status, headers: raw }: ResponseHead): void {
    // 100 is between us and the upstream, which may send it unasked (RFC 9110 §15.2).
    const isOld = this.#request.httpVersion === '1.0'
    if (status === 100 || isOld || this.isBegun || this.#hints === MAX_HINTS) return
    this.#hints += 1
    const headers = this.#rules.response(raw)
    let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'unknown'}\r\n`
    for (let at = 0; at < headers.length; at += 2) head += `${headers[at]}: ${headers[at + 1]}\r\n`
    // Node writes those of its own choosing alone. Before the answer's head, nothing else is written here.
    this.#client.write(`${head}\r\n`, 'latin1')
  }

  /** Nothing of it will be passed on: somebody else answers. */
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

  write(chunk: Buffer, source: Source): void {
    if (this.#first === undefined && chunk.length < this.#response.writableHighWaterMark) {
      this.#first = chunk
      return
    }
    this.#passFirst(source)
    this.#pass(chunk, source)
  }

  /** What came with the head has been read, and it isn't all. */
  release(source: Source): void {
    if (this.#ended || this.#response.destroyed) return
    const isAlone = this.#first === undefined
    this.#passFirst(source)
    if (isAlone) this.#response.flushHeaders()
  }

  #passFirst(source: Source): void {
    const first = this.#first
    this.#first = null
    this.#writeHead()
    if (first) this.#pass(first, source)
  }

  #pass(chunk: Buffer, source: Source): void {
    if (this.#response.write(chunk)) return
    source.pause()
    if (this.#clientTimeout === undefined) {
      this.#clientTimeout = this.#client.timeout ?? 0
      this.#response.on('drain', () => this.#onDrain(source))
      // After its end there is no more 'drain'.
      this.#response.once('finish', () => this.#client.resume())
    }
    this.#expectReader()
  }

  /**
   * Cuts a client that takes nothing. Node's own timeout counts progress within a single write, which is wanted, and
   * whatever the client sends, which isn't; so that waits, unless it belongs to this request.
   */
  #expectReader(): void {
    this.#client.setTimeout(this.#idle)
    if (this.#request.complete) this.#client.pause()
  }

  #onDrain(source: Source): void {
    if (this.#ended) return void this.#client.resume()
    this.#client.setTimeout(this.#clientTimeout ?? 0)
    source.resume()
    // Last, because Node starts to read on the next tick even if the socket was paused again in between.
    if (!this.#response.writableNeedDrain) this.#client.resume()
  }

  /** @param trailers As they came. */
  end(trailers: readonly string[] = []): void {
    this.#writeHead()
    if (trailers.length > 0) this.#response.addTrailers(this.#rules.trailers(trailers))
    this.#ended = true
    this.#response.end(this.#first ?? undefined)
    if (this.#client.writableLength > 0) this.#client.setTimeout(this.#idle)
  }

  /**
   * Closes the client's connection so that what it has doesn't look whole.
   *
   * @param isUrgent Drops, too, what lies in the system's buffers; TLS can't.
   */
  cut(isUrgent: boolean): void {
    const client = this.#client
    // Closed in the usual way, an answer that lasts until the connection ends would look whole. TLS tells by itself.
    const shows = this.#framed || this.#response.chunkedEncoding
    if (client instanceof TLSSocket || (shows && !isUrgent)) client.destroy()
    else client.resetAndDestroy()
  }
}

/** Headers that the caller has set go before the upstream's of the same name; `Vary` and cookies add up. */
export function writeHead(response: ServerResponse, status: number, message = '', headers: string[]): void {
  // Some clients stumble over what isn't ASCII.
  const reason = /^[\t -~]+$/.test(message) ? message : (STATUS_CODES[status] ?? 'unknown')
  const preset = response.getHeaderNames()
  if (preset.length === 0) return void response.writeHead(status, reason, headers)
  // Given both, Node keeps only the last of several headers with one name.
  for (let at = 0; at < headers.length; at += 2) {
    const lower = headers[at]!.toLowerCase()
    const isAdded = lower === 'vary' || lower === 'set-cookie' || !preset.includes(lower)
    if (isAdded) response.appendHeader(headers[at]!, headers[at + 1]!)
  }
  response.writeHead(status, reason)
}

function release(answer: ClientResponse, source: Source): void {
  answer.release(source)
}

function removeContentLength(headers: string[]): void {
  for (let at = headers.length - 2; at >= 0; at -= 2) {
    if (headers[at]!.toLowerCase() === 'content-length') headers.splice(at, 2)
  }
}
