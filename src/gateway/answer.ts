import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Dispatcher } from 'undici'
import type { Milliseconds } from '../clock.js'
import type { HeaderRules } from './headers.js'

type RawHeaders = readonly (Buffer | string)[]

/** What `controller.rawHeaders` doesn't have of an answer's head. */
export interface Head {
  readonly status: number
  readonly message: string | undefined
  /** It has a `Content-Length`. */
  readonly isSized: boolean
}

/** Interim answers that are passed on. A client can't say that it takes no more of them. */
const MOST_HINTS = 8

/** The client's side of an exchange: the upstream's answer as it is passed on. */
export class Answer {
  readonly #method: string | undefined
  readonly #isOld: boolean
  #hints = 0
  readonly #response: ServerResponse
  readonly #rules: HeaderRules
  readonly #idle: Milliseconds
  readonly #client: Socket
  /** It says by its own length or framing where it ends. */
  #framed = false
  /** All of it was handed to Node. */
  #ended = false
  /** Held until what was read with it is known: what is all of the body goes in one write with the head. null: passed. */
  #first: Buffer | null | undefined
  /** The client connection's own timeout, put back when a stalled client reads on; undefined before the first stall. */
  #clientTimeout: number | undefined

  /** @param idle How long a client may take nothing of it. */
  constructor(request: IncomingMessage, response: ServerResponse, rules: HeaderRules, idle: Milliseconds) {
    this.#method = request.method
    this.#isOld = request.httpVersion === '1.0'
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

  begin(controller: Dispatcher.DispatchController, { status, message, isSized }: Head): void {
    const response = this.#response
    const headers = this.#rules.response(controller.rawHeaders as RawHeaders)
    if (status === 204) removeContentLength(headers)
    this.#framed = isSized
    writeHead(response, status, message, headers)
    if (this.#method === 'HEAD' || status === 204 || status === 304) return this.end()
    process.nextTick(release, this, controller)
  }

  /** Passes an interim answer on, such as 103 (RFC 9110 §15.2); not to HTTP/1.0, which knows none. */
  hint(controller: Dispatcher.DispatchController, status: number): void {
    if (this.#isOld || this.isBegun || this.#hints === MOST_HINTS) return
    this.#hints += 1
    const headers = this.#rules.response(controller.rawHeaders as RawHeaders)
    let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'unknown'}\r\n`
    for (let at = 0; at < headers.length; at += 2) head += `${headers[at]}: ${headers[at + 1]}\r\n`
    // Node writes those of its own choosing alone. Before the answer's head, nothing else is written here.
    this.#client.write(`${head}\r\n`, 'latin1')
  }

  write(chunk: Buffer, controller: Dispatcher.DispatchController): void {
    if (this.#first === undefined && chunk.length < this.#response.writableHighWaterMark) {
      this.#first = chunk
      return
    }
    this.#passFirst(controller)
    this.#pass(chunk, controller)
  }

  /** What came with the head has been read, and it isn't all. */
  release(controller: Dispatcher.DispatchController): void {
    if (this.#ended || this.#response.destroyed) return
    if (this.#first === undefined) this.#response.flushHeaders()
    this.#passFirst(controller)
  }

  #passFirst(controller: Dispatcher.DispatchController): void {
    const first = this.#first
    this.#first = null
    if (first) this.#pass(first, controller)
  }

  #pass(chunk: Buffer, controller: Dispatcher.DispatchController): void {
    if (this.#response.write(chunk)) return
    controller.pause()
    // Cuts a client that takes nothing: Node counts progress within a single write, too.
    const isFirst = this.#clientTimeout === undefined
    this.#clientTimeout ??= this.#client.timeout ?? 0
    this.#client.setTimeout(this.#idle)
    if (isFirst) this.#response.on('drain', () => this.#onDrain(controller))
  }

  #onDrain(controller: Dispatcher.DispatchController): void {
    if (this.#ended) return
    this.#client.setTimeout(this.#clientTimeout ?? 0)
    controller.resume()
  }

  end(rawTrailers?: unknown): void {
    if (Array.isArray(rawTrailers) && rawTrailers.length > 0) {
      this.#response.addTrailers(this.#rules.trailers(rawTrailers as RawHeaders))
    }
    this.#ended = true
    if (this.#first) return void this.#response.end(this.#first)
    if (this.#response.writableNeedDrain) this.#client.setTimeout(this.#idle)
    this.#response.end()
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
  // undici decodes the reason phrase as UTF-8; what was not ASCII is not what it was.
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

function release(answer: Answer, controller: Dispatcher.DispatchController): void {
  answer.release(controller)
}

function removeContentLength(headers: string[]): void {
  for (let at = headers.length - 2; at >= 0; at -= 2) {
    if (headers[at]!.toLowerCase() === 'content-length') headers.splice(at, 2)
  }
}
