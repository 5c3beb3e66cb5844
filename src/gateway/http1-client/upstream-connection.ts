import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Milliseconds } from '../../clock.js'
import { isLastOnConnection } from './request-head.js'
import type { UpstreamRequest } from './request-head.js'
import type { ResponseHead } from './response-head.js'
import { ResponseParser } from './response-parser.js'
import type { ResponseEvents } from './response-events.js'
import { upload } from './upload.js'
import type { UploadProgress } from './upload.js'
import { UpstreamError } from './upstream-error.js'

/**
 * The receiver of the events of one request. `onSend` is called first. `onEnd`, `onUpgrade` or `onError` is called
 * last.
 */
export interface ResponseHandler extends Omit<ResponseEvents, 'onUpgrade'> {
  /** True if the response is no longer needed. A waiting request is then not sent. */
  readonly isSettled: boolean
  /** Called when the request is sent on this connection. */
  onSend(connection: UpstreamConnection): void
  /** Called for a 101. The handler then owns the socket. Data after the head can be read from the socket. */
  onUpgrade(head: ResponseHead, socket: Socket): void
  onError(error: UpstreamError): void
}

/** The owner of a connection: its pool. */
export interface ConnectionOwner {
  /** Called when the connection can carry another request. */
  onFree(connection: UpstreamConnection): void
  /** Called once, when the connection was closed or handed over by an upgrade. */
  onGone(connection: UpstreamConnection): void
}

/** Longest idle time of a connection. Shorter than the 5 s after which Node, Apache and other servers close it. */
const MAX_IDLE: Milliseconds = 4000
/** Subtracted from the server's `Keep-Alive: timeout`, which starts when the response is sent, not when it arrives. */
const KEEP_ALIVE_MARGIN: Milliseconds = 1000

/** An open connection to an upstream server. Carries one request at a time (RFC 9112). */
export class UpstreamConnection implements ResponseEvents {
  /** The client that occupies the connection. Belongs to the pool. */
  client: string | undefined
  readonly #socket: Socket
  readonly #owner: ConnectionOwner
  readonly #parser: ResponseParser
  #request: UpstreamRequest | undefined
  #handler: ResponseHandler | undefined
  /** True if the first bytes of the request were written. Data that arrives before that is no response to it. */
  #isStarted = false
  /** True if the whole request was written. */
  #isSent = false
  /** True if no other request may follow the current one. */
  #isLast = false
  #hasBegun = false
  /** Number of requests that were sent. */
  #requests = 0
  #isPaused = false
  /** True if the upstream has closed its sending side. */
  #hasEnded = false
  #isGone = false
  /** The end of the current timeout, or, without a request, of the idle time. Same clock as `performance.now()`. */
  #deadline: Milliseconds

  /** @param maxHead Limit for a response head, in bytes. */
  constructor(socket: Socket, owner: ConnectionOwner, maxHead?: number) {
    this.#parser = new ResponseParser(this, maxHead)
    this.#socket = socket
    this.#owner = owner
    this.#deadline = performance.now() + MAX_IDLE
    socket.on('data', this.#onData)
    socket.on('end', this.#onEnd)
    socket.on('error', this.#onError)
    socket.on('close', this.#onClose)
    socket.on('drain', this.#onDrain)
  }

  /** True if data of a response has arrived since `send`. */
  get hasBegun(): boolean {
    return this.#hasBegun
  }

  /** True if the connection has carried another request before the current one. */
  get isReused(): boolean {
    return this.#requests > 1
  }

  /**
   * True if everything written was passed to the operating system. With TLS, this is known one turn of the event loop
   * after the write, which may be later than the response.
   */
  get isFlushed(): boolean {
    return this.#socket.writableLength === 0
  }

  get isPaused(): boolean {
    return this.#isPaused
  }

  /**
   * Sends a request.
   *
   * @param head The head, from `serializeHead`.
   */
  send(head: string, request: UpstreamRequest, handler: ResponseHandler): void {
    const { body, framing, method, upgrade } = request
    this.#request = request
    this.#handler = handler
    this.#hasBegun = false
    this.#requests += 1
    this.#isSent = this.#isStarted = body === null
    this.#isLast = isLastOnConnection(request)
    this.#parser.expect({ isHead: method === 'HEAD', isUpgrade: upgrade !== undefined })
    this.#restartTimeout()
    handler.onSend(this)
    if (body === null) return void this.#socket.write(head, 'latin1')
    upload(this.#socket, { head, body, framing }, this.#trackUpload(request))
  }

  /** Stops reading and emitting events until `resume`. */
  pause(): void {
    this.#isPaused = true
    this.#parser.pause()
    this.#socket.pause()
  }

  resume(): void {
    if (this.#request === undefined) return
    this.#isPaused = false
    this.#restartTimeout()
    this.#runParser(() => this.#parser.resume())
    if (!this.#isPaused) this.#socket.resume()
  }

  /** Closes the connection without further events, if it still carries the request of this handler. */
  abort(handler: ResponseHandler): void {
    if (this.#handler === handler) this.destroy()
  }

  /** Closes the connection. The handler gets no further events. */
  destroy(): void {
    this.#release()
    this.#socket.destroy()
  }

  /** Closes the connection and reports the error to the handler. */
  fail(error: UpstreamError): void {
    const handler = this.#handler
    this.destroy()
    handler?.onError(error)
  }

  /** Closes the connection if its timeout has passed. Called every 250 ms. */
  check(now: Milliseconds): void {
    if (now < this.#deadline || this.#isPaused) return
    if (this.#request === undefined) return this.destroy()
    // The upload waits for the client. `RequestBody` has a timeout for that.
    if (!this.#isSent && !this.#socket.writableNeedDrain) return
    this.fail(new UpstreamError('late', this.#parser.isInHead ? 'headers_timeout' : 'body_timeout'))
  }

  onInterim(head: ResponseHead): void {
    this.#handler?.onInterim(head)
  }

  onHead(head: ResponseHead): void {
    this.#restartTimeout()
    this.#handler?.onHead(head)
  }

  onData(piece: Buffer): void {
    this.#handler?.onData(piece)
  }

  onEnd(trailers: string[]): void {
    const handler = this.#handler
    const hadBody = this.#request!.body !== null
    this.#handler = undefined
    this.#request = undefined
    const isFree = this.#isReadyForNext && this.#parser.isReusable && this.#startIdle()
    if (!isFree) this.#close(hadBody)
    handler?.onEnd(trailers)
    if (isFree && !this.#isGone) this.#owner.onFree(this)
  }

  onUpgrade(head: ResponseHead, rest: Buffer): void {
    const socket = this.#socket
    const handler = this.#handler
    if (handler === undefined) return
    socket.off('data', this.#onData)
    socket.off('end', this.#onEnd)
    socket.off('error', this.#onError)
    socket.off('close', this.#onClose)
    socket.off('drain', this.#onDrain)
    socket.pause()
    if (rest.length > 0) socket.unshift(rest)
    this.#release()
    handler.onUpgrade(head, socket)
  }

  /**
   * Closes the connection after a response. The upstream may want to keep the connection. A reset then avoids the
   * TIME_WAIT state, which would occupy a local port for a minute. An upstream may still read a body, which a reset
   * would discard. Node can reset only plain TCP connections. A Unix socket has no remote address.
   */
  #close(hadBody: boolean): void {
    this.#release()
    const socket = this.#socket
    const isPlainTcp = !(socket instanceof TLSSocket) && socket.remoteAddress !== undefined
    if (isPlainTcp && !hadBody && !this.#hasEnded && this.isFlushed) socket.resetAndDestroy()
    else socket.destroy()
  }

  /** True if another request may follow, the whole request was written, and the upstream hasn't ended the connection. */
  get #isReadyForNext(): boolean {
    return !this.#isLast && this.#isSent && !this.#hasEnded
  }

  #trackUpload(request: UpstreamRequest): UploadProgress {
    return {
      isWanted: () => this.#request === request && !this.#isGone,
      onWrite: () => {
        this.#isStarted = true
        this.#restartTimeout()
      },
      onSent: () => (this.#isSent = true),
      onFailure: (error) => this.fail(error),
    }
  }

  /** Restarts the timeout for the next data from the upstream. */
  #restartTimeout(): void {
    const { headers, body } = this.#request!.timeouts
    this.#setDeadline(this.#parser.isInHead ? headers : body)
  }

  #setDeadline(timeout: Milliseconds): void {
    this.#deadline = timeout > 0 ? performance.now() + timeout : Number.POSITIVE_INFINITY
  }

  /** Starts the idle time. Returns false if the server closes the connection immediately. */
  #startIdle(): boolean {
    const { keepAlive } = this.#parser
    const idle = keepAlive === undefined ? MAX_IDLE : Math.min(MAX_IDLE, keepAlive * 1000 - KEEP_ALIVE_MARGIN)
    this.#setDeadline(idle)
    return idle > 0
  }

  #runParser(read: () => void): void {
    try {
      read()
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error
      this.fail(error)
    }
  }

  #onData = (data: Buffer): void => {
    if (this.#request === undefined) {
      this.#parser.read(data)
      if (!this.#parser.isReusable) this.destroy()
      return
    }
    if (!this.#isStarted) return this.fail(new UpstreamError('broken', 'early_response'))
    this.#hasBegun = true
    if (!this.#parser.isInHead) this.#restartTimeout()
    this.#runParser(() => this.#parser.read(data))
  }

  #onEnd = (): void => {
    this.#hasEnded = true
    if (this.#request === undefined) return this.destroy()
    this.#runParser(() => this.#parser.close())
  }

  #onError = (error: NodeJS.ErrnoException): void => {
    // The response is complete. Its last events are emitted after `resume`.
    if (this.#isPaused && this.#parser.isWhole) return void (this.#hasEnded = true)
    const reason = error.code ?? error.name
    this.fail(new UpstreamError(reason === 'ETIMEDOUT' ? 'late' : 'lost', reason, error))
  }

  #onClose = (): void => {
    // While paused, the response may be complete. `resume` finds out.
    if (!this.#hasEnded || !this.#isPaused) this.fail(new UpstreamError('lost', 'closed'))
  }

  #onDrain = (): void => {
    if (this.#request === undefined || this.#isSent) return
    this.#request.body?.resume()
    this.#restartTimeout()
  }

  #release(): void {
    if (this.#isGone) return
    this.#isGone = true
    this.#handler = undefined
    this.#owner.onGone(this)
  }
}
