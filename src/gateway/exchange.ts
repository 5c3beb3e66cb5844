import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Dispatcher } from 'undici'
import type { ForwardOptions, Outcome } from './forward.js'
import { RequestBody, type BodyTrouble } from './request-body.js'
import { isLostConnection, upstreamFailure, type UpstreamFailure } from './upstream-failure.js'

type RawHeaders = readonly (Buffer | string)[]

/** One request and its answer: what undici calls back, and what the client's connection reports. See `forward`. */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #options: ForwardOptions
  readonly #settle: (outcome: Outcome) => void
  readonly #client: Socket
  #body: RequestBody | null = null
  #controller: Dispatcher.DispatchController | undefined
  #inLine: NodeJS.Timeout | undefined
  #total: NodeJS.Timeout | undefined
  #status = 0
  #retried = false
  /** The first byte of some answer came. */
  #begun = false
  /** The answer says by its own length or framing where it ends. */
  #framed = false
  /** All of the answer was handed to Node. */
  #ended = false
  #settled = false
  /** The client connection's own timeout, put back when a stalled client reads on; undefined before the first stall. */
  #clientTimeout: number | undefined

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    options: ForwardOptions,
    settle: (outcome: Outcome) => void,
  ) {
    this.#request = request
    this.#response = response
    this.#options = options
    this.#settle = settle
    this.#client = request.socket
  }

  start(): void {
    const { framing, limits, timeouts } = this.#options
    if (this.#client.destroyed) return this.#finish({ kind: 'aborted' })
    this.#response.once('close', () => this.#onClientClose())
    if (framing.kind === 'chunked' || (framing.kind === 'sized' && framing.bytes > 0)) {
      this.#body = new RequestBody(this.#request, limits, (trouble) => this.#onBodyTrouble(trouble))
    }
    if (timeouts.total > 0) this.#total = setTimeout(() => this.#onLate('total_timeout'), timeouts.total)
    this.#dispatch()
  }

  #dispatch(): void {
    const { upstream, target, headers, timeouts } = this.#options
    if (timeouts.headers > 0) this.#inLine = setTimeout(() => this.#onLate('in_line'), timeouts.headers)
    const options: Dispatcher.DispatchOptions & { servername?: string } = {
      method: this.#request.method as Dispatcher.HttpMethod,
      path: target,
      headers,
      body: this.#body,
      headersTimeout: timeouts.headers,
      bodyTimeout: timeouts.body,
    }
    if (upstream.servername !== undefined) options.servername = upstream.servername
    upstream.pool.dispatch(options, this)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    clearTimeout(this.#inLine)
    // Thrown rather than aborted: nothing was sent, so the connection stays good for others.
    if (this.#settled) throw new Error('no longer wanted')
    this.#controller = controller
  }

  onResponseStarted(): void {
    this.#begun = true
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, unknown>,
    message?: string,
  ): void {
    // 103 and its kin: the head is yet to come.
    if (status < 200 || this.#settled) return
    const response = this.#response
    const passed = this.#options.rules.response(controller.rawHeaders as RawHeaders)
    if (status === 204) removeContentLength(passed)
    this.#status = status
    this.#framed = headers['content-length'] !== undefined
    writeHead(response, status, message, passed)
    if (this.#request.method === 'HEAD' || status === 204 || status === 304) return this.#end()
    // A head whose body comes at once shares a packet with it.
    setImmediate(flushHead, response)
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#ended || this.#settled || this.#response.write(chunk)) return
    controller.pause()
    // Cuts a client that takes nothing: Node counts progress within a single write, too.
    const isFirst = this.#clientTimeout === undefined
    this.#clientTimeout ??= this.#client.timeout ?? 0
    this.#client.setTimeout(this.#options.limits.idle)
    if (isFirst) this.#response.on('drain', () => this.#onDrain())
  }

  #onDrain(): void {
    if (this.#ended || this.#settled) return
    this.#client.setTimeout(this.#clientTimeout ?? 0)
    this.#controller?.resume()
  }

  onResponseEnd(controller: Dispatcher.DispatchController): void {
    if (this.#ended || this.#settled) return
    const { rawTrailers } = controller
    if (Array.isArray(rawTrailers) && rawTrailers.length > 0) {
      this.#response.addTrailers(this.#options.rules.trailers(rawTrailers))
    }
    this.#end()
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    if (this.#ended || this.#settled) return
    if (this.#mayRetry(error)) {
      this.#retried = true
      clearTimeout(this.#inLine)
      this.#dispatch()
    } else {
      this.#fail(upstreamFailure(error))
    }
  }

  /**
   * A kept connection may close just as a request is sent on it. What changes nothing is sent once more (RFC 9112 §9.3.1);
   * anything else might then be done twice.
   */
  #mayRetry(error: Error): boolean {
    const { method } = this.#request
    const isSafe = method === 'GET' || method === 'HEAD' || method === 'OPTIONS'
    return isSafe && this.#body === null && !this.#begun && !this.#retried && isLostConnection(error)
  }

  #end(): void {
    this.#ended = true
    if (this.#response.writableNeedDrain) this.#client.setTimeout(this.#options.limits.idle)
    this.#response.end()
  }

  #onClientClose(): void {
    if (this.#ended && this.#response.writableFinished) {
      this.#finish({ kind: 'answered', status: this.#status })
    } else {
      this.#finish({ kind: 'aborted' })
    }
  }

  #onBodyTrouble(trouble: BodyTrouble): void {
    // Once the answer is written, what the client still sends concerns nobody.
    if (!this.#ended) this.#fail({ error: trouble, reason: trouble })
  }

  #onLate(reason: string): void {
    this.#fail({ error: 'upstream_timeout', reason })
  }

  #fail(failure: UpstreamFailure): void {
    if (this.#settled) return
    if (!this.#response.headersSent) return this.#finish({ kind: 'failed', ...failure })
    this.#finish({ kind: 'cut', status: this.#status, reason: failure.reason })
    // Closed in the usual way, an answer that lasts until the connection ends would look whole. TLS tells by itself.
    const shows = this.#framed || this.#response.chunkedEncoding || this.#client instanceof TLSSocket
    if (shows) this.#client.destroy()
    else this.#client.resetAndDestroy()
  }

  #finish(outcome: Outcome): void {
    if (this.#settled) return
    this.#settled = true
    clearTimeout(this.#inLine)
    clearTimeout(this.#total)
    this.#settle(outcome)
    this.#body?.destroy()
    if (!this.#ended || outcome.kind !== 'answered') this.#controller?.abort(new Error(outcome.kind))
  }
}

/** Headers that the caller has set go before the upstream's of the same name; `Vary` and cookies add up. */
function writeHead(response: ServerResponse, status: number, message = '', headers: string[]): void {
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

function flushHead(response: ServerResponse): void {
  if (!response.writableEnded && !response.destroyed) response.flushHeaders()
}

function removeContentLength(headers: string[]): void {
  for (let at = headers.length - 2; at >= 0; at -= 2) {
    if (headers[at]!.toLowerCase() === 'content-length') headers.splice(at, 2)
  }
}
