import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import type { Milliseconds } from '../clock.js'
import { BodyRate } from './body-rate.js'
import { sendContinue } from './expect-continue.js'

/** Limits for the body of a request. */
export interface BodyLimits {
  /** Maximum size of the body, in bytes. */
  readonly body: number
  /** Longest wait for the next piece of the body. */
  readonly bodyTimeout: Milliseconds
  /** Minimum rate of the body in each window of 5 s, in bytes per second. 0 or `undefined` disables it. */
  readonly minBodyRate?: number
}

export type BodyError = 'body_too_large' | 'request_timeout'

/** How long the rest of an unneeded body is read, so that a client which is still sending receives the response. */
const LINGER: Milliseconds = 5000

/**
 * The body of a client's request on its way to an upstream, with limits for size, idle time and rate, and with
 * backpressure. It is a stream of its own because destroying the request would also destroy the client's connection.
 */
export class RequestBody extends Readable {
  readonly #request: IncomingMessage
  readonly #limits: BodyLimits
  readonly #onLimit: (error: BodyError) => void
  #bytes = 0
  #timer: NodeJS.Timeout | undefined
  /** Set when reading begins. */
  #rate: BodyRate | undefined

  /**
   * @param onLimit Called at most once, when a limit is exceeded. By then the stream has been destroyed without an
   * `end` event.
   */
  constructor(request: IncomingMessage, limits: BodyLimits, onLimit: (error: BodyError) => void) {
    super({ highWaterMark: 65_536 })
    this.#request = request
    this.#limits = limits
    this.#onLimit = onLimit
    // An unhandled 'error' event would end the process. An exceeded limit emits none, only `onLimit` reports it.
    this.on('error', () => {})
  }

  override _read(): void {
    const request = this.#request
    if (this.#timer === undefined) {
      sendContinue(request)
      this.#rate = new BodyRate(this.#limits.minBodyRate ?? 0)
      this.#timer = setTimeout(this.#onIdle, this.#limits.bodyTimeout)
      request.on('data', this.#onData)
      request.on('end', this.#onEnd)
    }
    if (!request.isPaused()) return
    this.#timer.refresh()
    this.#rate!.resume()
    request.resume()
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    clearTimeout(this.#timer)
    this.#request.off('data', this.#onData)
    this.#request.off('end', this.#onEnd)
    discard(this.#request)
    callback(error)
  }

  #onData = (chunk: Buffer): void => {
    this.#bytes += chunk.length
    if (this.#bytes > this.#limits.body) return this.#fail('body_too_large')
    if (!this.#rate!.add(chunk.length)) return this.#fail('request_timeout')
    this.#timer?.refresh()
    if (this.push(chunk)) return
    this.#rate!.pause()
    this.#request.pause()
  }

  #onEnd = (): void => {
    clearTimeout(this.#timer)
    this.push(null)
  }

  #onIdle = (): void => {
    // While the request is paused, the upstream is slow. The upstream connection has a timeout for that.
    if (!this.#request.isPaused()) this.#fail('request_timeout')
  }

  #fail(error: BodyError): void {
    this.destroy()
    this.#onLimit(error)
  }
}

/**
 * Discards the rest of a request's body. If the body hasn't ended after 5 s, closes the connection. Closing it immediately
 * would reset it, and the client would lose the response.
 */
export function discard(request: IncomingMessage): void {
  if (request.readableEnded || request.destroyed) return
  request.resume()
  // If the whole body has arrived, no timer is needed.
  if (request.complete) return
  const { socket } = request
  const timer = setTimeout(() => socket.destroy(), LINGER)
  timer.unref()
  request.once('close', () => clearTimeout(timer))
}
