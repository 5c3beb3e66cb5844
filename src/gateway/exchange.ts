import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { PortcullisError } from '../errors.js'
import type { ErrorCode } from '../errors.js'
import { changesState } from '../token/csrf.js'
import { ClientResponse } from './client-response.js'
import type { Failure, Forwarding, ForwardOptions, ForwardOutcome } from './forward.js'
import { owesContinue } from './expect-continue.js'
import { RequestBody } from './request-body.js'
import type { ResponseHead } from './http1-client/response-head.js'
import type { ResponseHandler, UpstreamConnection } from './http1-client/upstream-connection.js'
import type { UpstreamError } from './http1-client/upstream-error.js'
import type { UpstreamServer } from './upstreams.js'

/** Methods that change state, but no further when they are repeated (RFC 9110 §9.2.2). */
const IDEMPOTENT_METHODS = new Set(['PUT', 'DELETE'])

/** One request and its response. Handles the events of the upstream's and of the client's connection. See `forward`. */
export class Exchange implements ResponseHandler, Forwarding {
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #options: ForwardOptions
  readonly #clientResponse: ClientResponse
  #body: RequestBody | null = null
  #server!: UpstreamServer
  /** The upstream servers to which no connection could be made. */
  #unreachable: readonly UpstreamServer[] = []
  /** Set from `onSend` to the end of the response. After that, the connection may carry another request. */
  #connection: UpstreamConnection | undefined
  #totalTimer: NodeJS.Timeout | undefined
  #status = 0
  #isSent = false
  #isResent = false
  /** True after a 101. The exchange then ends when the client's connection closes. */
  #isUpgraded = false
  /** True while `onHead` runs. The exchange doesn't end before that. */
  #isInOnHead = false
  /** The outcome, kept while the exchange still waits for the response head or for `onHead`. */
  #pendingOutcome: ForwardOutcome | undefined
  #isSettled = false

  constructor(request: IncomingMessage, response: ServerResponse, options: ForwardOptions) {
    this.#request = request
    this.#response = response
    this.#options = options
    this.#clientResponse = new ClientResponse(request, response, options.rules, options.limits.idle)
  }

  get isSettled(): boolean {
    return this.#isSettled
  }

  start(): void {
    const { upstream, framing, limits, timeouts } = this.#options
    if (this.#request.socket.destroyed) return this.#finish({ kind: 'aborted' })
    this.#response.once('close', () => this.#onClientClose())
    if (framing.kind === 'chunked' || (framing.kind === 'sized' && framing.bytes > 0)) {
      // After the end of the response, errors in the rest of the request's body are irrelevant.
      this.#body = new RequestBody(this.#request, limits, (error) => {
        if (!this.#clientResponse.isEnded) this.#fail({ error, reason: error })
      })
    }
    if (timeouts.total > 0) this.#totalTimer = setTimeout(() => this.#onTotal(), timeouts.total)
    this.#dispatch(upstream.pick()!)
  }

  cut(code: ErrorCode): void {
    if (this.#isSettled || this.#clientResponse.isWhole) return
    if (!this.#clientResponse.isBegun) return this.#abandon({ kind: 'failed', error: code, reason: 'cut' })
    this.#finish({ kind: 'cut', status: this.#status, reason: code })
    this.#clientResponse.cut(true)
  }

  #dispatch(server: UpstreamServer): void {
    this.#server = server
    this.#isSent = false
    // The client is asked for the body before the pool takes a connection. Without an upstream, it needn’t send the body.
    if (this.#body === null || !owesContinue(this.#request)) return this.#dispatchTo(server)
    server.reach((error) => {
      if (this.#isSettled) return
      if (error === null) this.#dispatchTo(server)
      else this.onError(error)
    })
  }

  #dispatchTo(server: UpstreamServer): void {
    const { target, host = server.host, headers, framing, client, timeouts, upgrade } = this.#options
    const request = {
      method: this.#request.method!,
      target,
      host,
      headers,
      framing,
      body: this.#body,
      upgrade: upgrade?.protocol,
      client,
      timeouts,
    }
    server.pool.dispatch(request, this)
  }

  onSend(connection: UpstreamConnection): void {
    this.#isSent = true
    this.#connection = connection
  }

  onInterim(head: ResponseHead): void {
    if (!this.#pendingOutcome) this.#clientResponse.hint(head)
  }

  onUpgrade({ status, headers }: ResponseHead, socket: Socket): void {
    const { upgrade, rules } = this.#options
    this.#connection = undefined
    this.#server.health.answered()
    this.#status = status
    this.#isUpgraded = upgrade!.open(socket, rules.response(headers))
    if (this.#isUpgraded) return clearTimeout(this.#totalTimer)
    socket.destroy()
    this.#fail({ error: 'upstream_unavailable', reason: 'bad_upgrade' })
  }

  onHead(head: ResponseHead): void {
    this.#server.health.answered()
    this.#status = head.status
    const { onHead } = this.#options
    if (onHead === undefined) this.#beginResponse(head, this.#connection!)
    else this.#callOnHead(onHead, head)
  }

  #callOnHead(onHead: NonNullable<ForwardOptions['onHead']>, head: ResponseHead): void {
    let running: void | Promise<void>
    try {
      running = onHead(head.status)
    } catch (error) {
      return this.#failWithThrown(error)
    }
    const connection = this.#connection!
    if (running === undefined) return this.#beginResponse(head, connection)
    this.#isInOnHead = true
    connection.pause()
    running
      .finally(() => (this.#isInOnHead = false))
      .then(() => this.#beginResponse(head, connection))
      .catch((error: unknown) => this.#failWithThrown(error))
  }

  /** Starts the response to the client, unless the exchange got another outcome during `onHead`. */
  #beginResponse(head: ResponseHead, connection: UpstreamConnection): void {
    if (this.#pendingOutcome) return this.#finish(this.#pendingOutcome)
    this.#options.onBegin?.(head.headers)
    this.#clientResponse.begin(head, connection)
    if (connection.isPaused) connection.resume()
  }

  onData(piece: Buffer): void {
    if (!this.#clientResponse.isEnded) this.#clientResponse.write(piece, this.#connection!)
  }

  onEnd(trailers: string[]): void {
    this.#connection = undefined
    if (!this.#clientResponse.isEnded) this.#clientResponse.end(trailers)
  }

  onError(error: UpstreamError): void {
    const connection = this.#connection
    this.#connection = undefined
    if (this.#clientResponse.isEnded || this.#isSettled) return
    if (this.#isSent && this.#status === 0 && error.isMiss) this.#server.health.missed(error.reason)
    const next = this.#selectRetryServer(error, connection)
    if (next === undefined) return this.#fail({ error: error.code, reason: error.reason })
    this.#dispatch(next)
  }

  /**
   * Returns the upstream server for another attempt, or `undefined`. A request that was not sent is tried once on each
   * server. An idle connection may close just when a request is sent on it (RFC 9112 §9.3.1). A request without a body
   * is then sent once more if it is safe, or if it is idempotent and the connection was a kept one: on a new connection,
   * the request itself may be what the server fails of. Any other request could be executed twice.
   */
  #selectRetryServer(
    { kind }: UpstreamError,
    connection: UpstreamConnection | undefined,
  ): UpstreamServer | undefined {
    const { upstream } = this.#options
    const last = this.#server
    const tried = [...this.#unreachable, last]
    if (kind === 'unreachable') return upstream.pick((this.#unreachable = tried))
    if (connection?.hasBegun || this.#isResent || kind !== 'lost') return undefined
    if (this.#isSent && !this.#mayResend(connection?.isReused ?? false)) return undefined
    this.#isResent = true
    return upstream.pick(tried) ?? last
  }

  /** Returns true if a second execution of the request has no other effect than the first (RFC 9110 §9.2). */
  #mayResend(wasReused: boolean): boolean {
    if (this.#body !== null) return false
    const { method } = this.#request
    return !changesState(method!) || (wasReused && IDEMPOTENT_METHODS.has(method!))
  }

  #onClientClose(): void {
    const isWhole = this.#clientResponse.isWhole || this.#isUpgraded
    if (isWhole) this.#finish({ kind: 'answered', status: this.#status })
    else this.#abandon({ kind: 'aborted' })
  }

  /**
   * Ends the exchange because the response is no longer needed. If the upstream has received the whole request, it may
   * still execute it, and `onHead` must see the status. The exchange then ends after `onHead`, or with a timeout.
   */
  #abandon(outcome: ForwardOutcome): void {
    if (!this.#pendingOutcome && !this.#isInOnHead && !this.#mustCallOnHead) return this.#finish(outcome)
    if (this.#pendingOutcome?.kind !== 'aborted') this.#pendingOutcome = outcome
  }

  /** True if the upstream has the whole request and `onHead` is still to be called. */
  get #mustCallOnHead(): boolean {
    const isSent = this.#isSent && (this.#body === null || this.#body.readableEnded)
    return isSent && this.#status === 0 && this.#options.onHead !== undefined
  }

  #onTotal(): void {
    if (this.#isSent && this.#status === 0) this.#server.health.missed('total_timeout')
    this.#fail({ error: 'upstream_timeout', reason: 'total_timeout' })
  }

  /** Ends the exchange with the error that `onHead` threw. */
  #failWithThrown(error: unknown): void {
    const thrown =
      error instanceof PortcullisError ? error : new PortcullisError('internal_error', { cause: error })
    this.#fail({ error: thrown.code, reason: thrown.reason ?? 'on_head', refusal: thrown })
  }

  #fail(failure: Failure): void {
    if (this.#isSettled) return
    if (this.#isInOnHead) {
      this.#pendingOutcome ??= { kind: 'failed', ...failure }
      return
    }
    if (this.#pendingOutcome?.kind === 'aborted') return this.#finish({ kind: 'aborted', failure })
    if (!this.#clientResponse.isBegun) return this.#finish({ kind: 'failed', ...failure })
    this.#finish({ kind: 'cut', status: this.#status, reason: failure.reason })
    this.#clientResponse.cut(false)
  }

  #finish(outcome: ForwardOutcome): void {
    if (this.#isSettled) return
    this.#isSettled = true
    clearTimeout(this.#totalTimer)
    this.#connection?.abort(this)
    if (outcome.kind === 'failed') this.#clientResponse.drop()
    this.#body?.destroy()
    this.#options.onOutcome(outcome)
  }
}
