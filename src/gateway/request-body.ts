import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import type { Milliseconds } from '../clock.js'
import { sendContinue } from './expect-continue.js'

export interface BodyLimits {
  /** The longest body, in bytes. */
  readonly body: number
  /** The longest wait for the next piece. */
  readonly bodyTimeout: Milliseconds
}

export type BodyError = 'body_too_large' | 'request_timeout'

/** How long the rest of a body that nobody wants is read, so that a client still sending gets to see its answer. */
const LINGER_MILLISECONDS = 5000

/**
 * The body of a client's request on its way to an upstream: counted, timed, and read no faster than the upstream
 * takes it. It stands in for the request, which would take its socket along where a body is given up.
 */
export class RequestBody extends Readable {
  readonly #request: IncomingMessage
  readonly #limits: BodyLimits
  readonly #onTrouble: (trouble: BodyError) => void
  #bytes = 0
  #timer: NodeJS.Timeout | undefined

  /** @param onTrouble Told at most once; the body then ends without an `end`. */
  constructor(request: IncomingMessage, limits: BodyLimits, onTrouble: (trouble: BodyError) => void) {
    super({ highWaterMark: 65_536 })
    this.#request = request
    this.#limits = limits
    this.#onTrouble = onTrouble
    // What goes wrong is told by `onTrouble`; an error that nobody hears would end the process.
    this.on('error', () => {})
  }

  override _read(): void {
    const request = this.#request
    if (this.#timer === undefined) {
      sendContinue(request)
      this.#timer = setTimeout(this.#onIdle, this.#limits.bodyTimeout)
      request.on('data', this.#onData)
      request.on('end', this.#onEnd)
    }
    if (!request.isPaused()) return
    this.#timer.refresh()
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
    this.#timer?.refresh()
    if (!this.push(chunk)) this.#request.pause()
  }

  #onEnd = (): void => {
    clearTimeout(this.#timer)
    this.push(null)
  }

  #onIdle = (): void => {
    // While paused it is the upstream that is slow; its connection times that.
    if (!this.#request.isPaused()) this.#fail('request_timeout')
  }

  #fail(trouble: BodyError): void {
    this.destroy()
    this.#onTrouble(trouble)
  }
}

/**
 * Reads what is left of a request's body and forgets it. Closed at once, the connection would be reset, and the answer
 * lost with it; a body that then still goes on is cut.
 */
export function discard(request: IncomingMessage): void {
  if (request.readableEnded || request.destroyed) return
  request.resume()
  // All of it has come: nothing is left to wait for.
  if (request.complete) return
  const { socket } = request
  const timer = setTimeout(() => socket.destroy(), LINGER_MILLISECONDS)
  timer.unref()
  request.once('close', () => clearTimeout(timer))
}
