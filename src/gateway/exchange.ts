import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { PortcullisError } from '../errors.js'
import type { ErrorCode } from '../errors.js'
import { changesState } from '../token/csrf.js'
import { ClientResponse } from './client-response.js'
import type { Failure, Forwarding, ForwardOptions, ForwardOutcome } from './forward.js'
import { RequestBody } from './request-body.js'
import type { ResponseHead } from './http1-client/response-head.js'
import type { ResponseHandler, UpstreamConnection } from './http1-client/upstream-connection.js'
import type { UpstreamError } from './http1-client/upstream-error.js'
import type { UpstreamServer } from './upstreams.js'

/** One request and its answer: what the upstream's connection tells, and what the client's reports. See `forward`. */
export class Exchange implements ResponseHandler, Forwarding {
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #options: ForwardOptions
  readonly #answer: ClientResponse
  #body: RequestBody | null = null
  #target!: UpstreamServer
  /** Those that could not be reached. */
  #tried: readonly UpstreamServer[] = []
  /** From the moment when it is sent to when its answer has come; after that it may be another one's. */
  #connection: UpstreamConnection | undefined
  #total: NodeJS.Timeout | undefined
  #status = 0
  #isSent = false
  #resent = false
  /** The connections were joined; that of the client says when it is over. */
  #upgraded = false
  /** `onHead` runs. The outcome waits for it, whatever happens meanwhile. */
  #isPondering = false
  /** The outcome so far, while the upstream's head, or `onHead`, is still waited for. */
  #held: ForwardOutcome | undefined
  #settled = false

  constructor(request: IncomingMessage, response: ServerResponse, options: ForwardOptions) {
    this.#request = request
    this.#response = response
    this.#options = options
    this.#answer = new ClientResponse(request, response, options.rules, options.limits.idle)
  }

  get isSettled(): boolean {
    return this.#settled
  }

  start(): void {
    const { upstream, framing, limits, timeouts } = this.#options
    if (this.#request.socket.destroyed) return this.#finish({ kind: 'aborted' })
    this.#response.once('close', () => this.#onClientClose())
    if (framing.kind === 'chunked' || (framing.kind === 'sized' && framing.bytes > 0)) {
      // Once the answer is written, what the client still sends concerns nobody.
      this.#body = new RequestBody(this.#request, limits, (trouble) => {
        if (!this.#answer.isEnded) this.#fail({ error: trouble, reason: trouble })
      })
    }
    if (timeouts.total > 0) this.#total = setTimeout(() => this.#onTotal(), timeouts.total)
    this.#dispatch(upstream.pick()!)
  }

  cut(code: ErrorCode): void {
    if (this.#settled || this.#answer.isWhole) return
    if (!this.#answer.isBegun) return this.#leave({ kind: 'failed', error: code, reason: 'cut' })
    this.#finish({ kind: 'cut', status: this.#status, reason: code })
    this.#answer.cut(true)
  }

  #dispatch(target: UpstreamServer): void {
    const { target: path, host = target.host, headers, framing, timeouts, upgrade } = this.#options
    this.#target = target
    this.#isSent = false
    const request = {
      method: this.#request.method!,
      target: path,
      host,
      headers,
      framing,
      body: this.#body,
      upgrade: upgrade?.protocol,
      timeouts,
    }
    target.pool.dispatch(request, this)
  }

  onSend(connection: UpstreamConnection): void {
    this.#isSent = true
    this.#connection = connection
  }

  onInterim(head: ResponseHead): void {
    if (!this.#held) this.#answer.hint(head)
  }

  onUpgrade({ status, headers }: ResponseHead, socket: Socket): void {
    const { upgrade, rules } = this.#options
    this.#connection = undefined
    this.#target.health.answered()
    this.#status = status
    this.#upgraded = upgrade!.open(socket, rules.response(headers))
    if (this.#upgraded) return clearTimeout(this.#total)
    socket.destroy()
    this.#fail({ error: 'upstream_unavailable', reason: 'bad_upgrade' })
  }

  onHead(head: ResponseHead): void {
    this.#target.health.answered()
    this.#status = head.status
    const { onHead } = this.#options
    if (onHead === undefined) this.#answer.begin(head, this.#connection!)
    else this.#ask(onHead, head)
  }

  #ask(onHead: NonNullable<ForwardOptions['onHead']>, head: ResponseHead): void {
    let pondering: void | Promise<void>
    try {
      pondering = onHead(head.status)
    } catch (error) {
      return this.#refuse(error)
    }
    const connection = this.#connection!
    if (pondering === undefined) return this.#pass(head, connection)
    this.#isPondering = true
    connection.pause()
    pondering
      .finally(() => (this.#isPondering = false))
      .then(() => this.#pass(head, connection))
      .catch((error: unknown) => this.#refuse(error))
  }

  /** Passes the response on, unless something else has become of it meanwhile. */
  #pass(head: ResponseHead, connection: UpstreamConnection): void {
    if (this.#held) return this.#finish(this.#held)
    this.#answer.begin(head, connection)
    if (connection.isPaused) connection.resume()
  }

  onData(piece: Buffer): void {
    if (!this.#answer.isEnded) this.#answer.write(piece, this.#connection!)
  }

  onEnd(trailers: string[]): void {
    this.#connection = undefined
    if (!this.#answer.isEnded) this.#answer.end(trailers)
  }

  onError(error: UpstreamError): void {
    const connection = this.#connection
    this.#connection = undefined
    if (this.#answer.isEnded || this.#settled) return
    if (this.#isSent && this.#status === 0 && error.isMiss) this.#target.health.missed(error.reason)
    const next = this.#nextAfter(error, connection?.hasBegun ?? false)
    if (next === undefined) return this.#fail({ error: error.code, reason: error.reason })
    this.#dispatch(next)
  }

  /**
   * Where to send the request again. What was not sent goes to each target once. A kept connection may close just as
   * a request is sent on it: what changes nothing is then sent once more (RFC 9112 §9.3.1), anything else might be
   * done twice.
   */
  #nextAfter({ kind }: UpstreamError, hasBegun: boolean): UpstreamServer | undefined {
    const { upstream } = this.#options
    const last = this.#target
    const tried = [...this.#tried, last]
    if (kind === 'unreachable') return upstream.pick((this.#tried = tried))
    if (hasBegun || this.#resent || kind !== 'lost') return undefined
    const mayChange = this.#body !== null || changesState(this.#request.method!)
    if (this.#isSent && mayChange) return undefined
    this.#resent = true
    return upstream.pick(tried) ?? last
  }

  #onClientClose(): void {
    const isWhole = this.#answer.isWhole || this.#upgraded
    if (isWhole) this.#finish({ kind: 'answered', status: this.#status })
    else this.#leave({ kind: 'aborted' })
  }

  /**
   * Nobody waits for the response any more. The upstream may still do what it was sent, and `onHead` then has to know:
   * so that ends the exchange, or one of the timeouts.
   */
  #leave(outcome: ForwardOutcome): void {
    if (!this.#held && !this.#isPondering && !this.#owesHead) return this.#finish(outcome)
    if (this.#held?.kind !== 'aborted') this.#held = outcome
  }

  /** The upstream has all of the request, `onHead` is to be called, and wasn't yet. */
  get #owesHead(): boolean {
    const isSent = this.#isSent && (this.#body === null || this.#body.readableEnded)
    return isSent && this.#status === 0 && this.#options.onHead !== undefined
  }

  #onTotal(): void {
    if (this.#isSent && this.#status === 0) this.#target.health.missed('total_timeout')
    this.#fail({ error: 'upstream_timeout', reason: 'total_timeout' })
  }

  /** What `onHead` threw. */
  #refuse(error: unknown): void {
    const refusal =
      error instanceof PortcullisError ? error : new PortcullisError('internal_error', { cause: error })
    this.#fail({ error: refusal.code, reason: refusal.reason ?? 'on_head', refusal })
  }

  #fail(failure: Failure): void {
    if (this.#settled) return
    if (this.#isPondering) {
      this.#held ??= { kind: 'failed', ...failure }
      return
    }
    if (this.#held?.kind === 'aborted') return this.#finish({ kind: 'aborted', failure })
    if (!this.#answer.isBegun) return this.#finish({ kind: 'failed', ...failure })
    this.#finish({ kind: 'cut', status: this.#status, reason: failure.reason })
    this.#answer.cut(false)
  }

  #finish(outcome: ForwardOutcome): void {
    if (this.#settled) return
    this.#settled = true
    clearTimeout(this.#total)
    this.#connection?.abort(this)
    if (outcome.kind === 'failed') this.#answer.drop()
    this.#body?.destroy()
    this.#options.onOutcome(outcome)
  }
}
