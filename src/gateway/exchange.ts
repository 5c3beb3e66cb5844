import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Dispatcher } from 'undici'
import { Refusal, type ErrorCode } from '../errors.js'
import { changesState } from '../token/cross-site.js'
import { Answer, type Head } from './answer.js'
import type { Forwarding, ForwardOptions, Outcome } from './forward.js'
import { RequestBody } from './request-body.js'
import { isLostConnection, isMiss, upstreamFailure } from './upstream-failure.js'
import { ConnectFailure } from './upstream-socket.js'
import type { UpstreamTarget } from './upstreams.js'

type Failure = Omit<Extract<Outcome, { kind: 'failed' }>, 'kind'>

/** One request and its answer: what undici calls back, and what the client's connection reports. See `forward`. */
export class Exchange implements Dispatcher.DispatchHandler, Forwarding {
  readonly outcome: Promise<Outcome>
  #settle!: (outcome: Outcome) => void
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #options: ForwardOptions
  readonly #answer: Answer
  #body: RequestBody | null = null
  #target!: UpstreamTarget
  /** Those that could not be reached. */
  #tried: readonly UpstreamTarget[] = []
  /** Set once something was sent to the target. */
  #controller: Dispatcher.DispatchController | undefined
  #inLine: NodeJS.Timeout | undefined
  #total: NodeJS.Timeout | undefined
  #status = 0
  #resent = false
  /** The connections were joined; that of the client says when it is over. */
  #upgraded = false
  /** The first byte of some answer came. */
  #begun = false
  /** `onHead` is pondering; `complete` where the answer has come to its end meanwhile. */
  #held: 'no' | 'yes' | 'complete' = 'no'
  #settled = false

  constructor(request: IncomingMessage, response: ServerResponse, options: ForwardOptions) {
    this.outcome = new Promise((resolve) => (this.#settle = resolve))
    this.#request = request
    this.#response = response
    this.#options = options
    this.#answer = new Answer(request, response, options.rules, options.limits.idle)
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
    if (!this.#answer.isBegun) return this.#finish({ kind: 'failed', error: code, reason: 'cut' })
    this.#finish({ kind: 'cut', status: this.#status, reason: code })
    this.#answer.cut(true)
  }

  #dispatch(target: UpstreamTarget): void {
    const { target: path, headers, timeouts, upgrade } = this.#options
    this.#target = target
    this.#controller = undefined
    const options: Dispatcher.DispatchOptions & { servername: string } = {
      method: this.#request.method as Dispatcher.HttpMethod,
      path,
      headers,
      body: this.#body,
      headersTimeout: timeouts.headers,
      bodyTimeout: timeouts.body,
      servername: target.hostname,
      ...(upgrade && { upgrade: upgrade.protocol }),
    }
    target.pool.dispatch(options, this)
    // Mostly a connection was free, and the request is on its way already.
    if (this.#controller !== undefined || this.#settled || this.#target !== target) return
    if (timeouts.headers > 0) this.#inLine = setTimeout(() => this.#onLate('in_line'), timeouts.headers)
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

  onRequestUpgrade(
    controller: Dispatcher.DispatchController,
    status: number,
    _headers: unknown,
    socket: Duplex,
  ): void {
    const { upgrade, rules } = this.#options
    if (this.#settled) return void socket.destroy()
    this.#target.health.answered()
    this.#status = status
    this.#upgraded = upgrade!.open(socket as Socket, rules.response(controller.rawHeaders as Buffer[]))
    if (this.#upgraded) return clearTimeout(this.#total)
    socket.destroy()
    this.#fail({ error: 'upstream_unavailable', reason: 'bad_upgrade' })
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, unknown>,
    message?: string,
  ): void {
    if (this.#settled) return
    // 103 and its kin: the head is yet to come. (What nobody asked to switch to, undici takes for a broken answer.)
    if (status < 200) return status === 101 ? undefined : this.#answer.hint(controller, status)
    this.#target.health.answered()
    this.#status = status
    const head = { status, message, isSized: headers['content-length'] !== undefined }
    const { onHead } = this.#options
    if (onHead === undefined) this.#answer.begin(controller, head)
    else this.#ask(onHead, controller, head)
  }

  #ask(
    onHead: NonNullable<ForwardOptions['onHead']>,
    controller: Dispatcher.DispatchController,
    head: Head,
  ): void {
    let pondering: void | Promise<void>
    try {
      pondering = onHead(head.status)
    } catch (error) {
      return this.#refuse(error)
    }
    if (pondering === undefined) return this.#answer.begin(controller, head)
    this.#held = 'yes'
    controller.pause()
    const pass = () => {
      if (this.#settled) return
      const isComplete = this.#held === 'complete'
      this.#held = 'no'
      this.#answer.begin(controller, head)
      // An answer to HEAD ends without being read on.
      if (!isComplete) controller.resume()
      else if (!this.#answer.isEnded) this.#answer.end()
    }
    pondering.then(pass).catch((error: unknown) => this.#refuse(error))
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.#answer.isEnded && !this.#settled) this.#answer.write(chunk, controller)
  }

  onResponseEnd(controller: Dispatcher.DispatchController): void {
    if (this.#answer.isEnded || this.#settled) return
    if (this.#held === 'no') this.#answer.end(controller.rawTrailers)
    else this.#held = 'complete'
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    if (this.#answer.isEnded || this.#settled) return
    const failure = upstreamFailure(error)
    if (this.#controller && this.#status === 0 && isMiss(error)) this.#target.health.missed(failure.reason)
    const next = this.#nextAfter(error)
    if (next === undefined) return this.#fail(failure)
    clearTimeout(this.#inLine)
    this.#dispatch(next)
  }

  /**
   * Where to send the request again. What was not sent goes to each target once. A kept connection may close just as a
   * request is sent on it: what changes nothing is then sent once more (RFC 9112 §9.3.1), anything else might be done twice.
   */
  #nextAfter(error: Error): UpstreamTarget | undefined {
    const { upstream } = this.#options
    const last = this.#target
    const tried = [...this.#tried, last]
    if (error instanceof ConnectFailure) return upstream.pick((this.#tried = tried))
    if (this.#begun || this.#resent || !isLostConnection(error)) return undefined
    const mayChange = this.#body !== null || changesState(this.#request.method!)
    if (this.#controller && mayChange) return undefined
    this.#resent = true
    return upstream.pick(tried) ?? last
  }

  #onClientClose(): void {
    const isWhole = this.#answer.isWhole || this.#upgraded
    this.#finish(isWhole ? { kind: 'answered', status: this.#status } : { kind: 'aborted' })
  }

  #onTotal(): void {
    if (this.#controller && this.#status === 0) this.#target.health.missed('total_timeout')
    this.#onLate('total_timeout')
  }

  #onLate(reason: string): void {
    this.#fail({ error: 'upstream_timeout', reason })
  }

  /** What `onHead` threw. */
  #refuse(error: unknown): void {
    const refusal = error instanceof Refusal ? error : new Refusal('internal_error', { cause: error })
    this.#fail({ error: refusal.code, reason: refusal.reason ?? 'on_head', refusal })
  }

  #fail(failure: Failure): void {
    if (this.#settled) return
    if (!this.#answer.isBegun) return this.#finish({ kind: 'failed', ...failure })
    this.#finish({ kind: 'cut', status: this.#status, reason: failure.reason })
    this.#answer.cut(false)
  }

  #finish(outcome: Outcome): void {
    if (this.#settled) return
    this.#settled = true
    clearTimeout(this.#inLine)
    clearTimeout(this.#total)
    this.#settle(outcome)
    this.#body?.destroy()
    if (!this.#answer.isEnded || outcome.kind !== 'answered') this.#controller?.abort(new Error(outcome.kind))
  }
}
