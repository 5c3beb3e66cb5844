import type { Socket } from 'node:net'
import type { Milliseconds } from '../../clock.js'
import type { UpstreamRequest } from './request-head.js'
import type { ResponseHead } from './response-head.js'
import { ResponseParser } from './response-parser.js'
import type { ResponseEvents } from './response-parser.js'
import { upload } from './upload.js'
import type { UploadProgress } from './upload.js'
import { UpstreamError } from './upstream-error.js'

/** What is told of a request, after `onSend`. `onEnd`, `onUpgrade` or `onError` is the last of it. */
export interface ResponseHandler extends Omit<ResponseEvents, 'onUpgrade'> {
  /** Nobody waits for it any more: it isn't sent. */
  readonly isSettled: boolean
  /** It goes out on this connection now. */
  onSend(connection: UpstreamConnection): void
  /** The socket is the handler's own from now on. What came behind the head can be read from it. */
  onUpgrade(head: ResponseHead, socket: Socket): void
  onError(error: UpstreamError): void
}

/** Whom a connection belongs to. */
export interface ConnectionOwner {
  /** It may carry another request. */
  onFree(connection: UpstreamConnection): void
  /** It is gone, or somebody else's. Told once. */
  onGone(connection: UpstreamConnection): void
}

/** How long a connection is kept without a request: below the 5 s after which Node, Apache and others close it. */
const KEPT: Milliseconds = 4000
/** A server that says how long it keeps it means from when it has sent, not from when that has come. */
const KEPT_LESS: Milliseconds = 1000

/** A connection to an upstream that stands, with one request at a time (RFC 9112). */
export class UpstreamConnection implements ResponseEvents {
  readonly #socket: Socket
  readonly #owner: ConnectionOwner
  readonly #parser = new ResponseParser(this)
  #request: UpstreamRequest | undefined
  #handler: ResponseHandler | undefined
  /** All of the request was written. */
  #isSent = false
  #hasBegun = false
  #isPaused = false
  /** The upstream has sent all that it will. */
  #hasEnded = false
  #isGone = false
  /** When it is too late, by `performance.now()`: for what is waited for, or, without a request, for another one. */
  #deadline: Milliseconds

  constructor(socket: Socket, owner: ConnectionOwner) {
    this.#socket = socket
    this.#owner = owner
    this.#deadline = performance.now() + KEPT
    socket.on('data', this.#onData)
    socket.on('end', this.#onEnd)
    socket.on('error', this.#onError)
    socket.on('close', this.#onClose)
    socket.on('drain', this.#onDrain)
  }

  /** Something of an answer has come since `send`. */
  get hasBegun(): boolean {
    return this.#hasBegun
  }

  get isPaused(): boolean {
    return this.#isPaused
  }

  /** @param head From `headOf` */
  send(head: string, request: UpstreamRequest, handler: ResponseHandler): void {
    const { body, framing, method, upgrade } = request
    this.#request = request
    this.#handler = handler
    this.#hasBegun = false
    this.#isSent = body === null
    this.#parser.expect({ isHead: method === 'HEAD', isUpgrade: upgrade !== undefined })
    this.#await()
    handler.onSend(this)
    if (body === null) return void this.#socket.write(head, 'latin1')
    upload(this.#socket, { head, body, framing }, this.#progressOf(request))
  }

  /** Nothing more is read, or told. */
  pause(): void {
    this.#isPaused = true
    this.#parser.pause()
    this.#socket.pause()
  }

  resume(): void {
    if (this.#request === undefined) return
    this.#isPaused = false
    this.#await()
    this.#parse(() => this.#parser.resume())
    if (!this.#isPaused) this.#socket.resume()
  }

  /**
   * The handler no longer wants its answer: closes the connection, if that is still its own, and tells nothing more.
   */
  abort(handler: ResponseHandler): void {
    if (this.#handler === handler) this.destroy()
  }

  /** Closes it. Nothing more is told. */
  destroy(): void {
    this.#leave()
    this.#socket.destroy()
  }

  /** Closes it, and tells the handler why. */
  fail(error: UpstreamError): void {
    const handler = this.#handler
    this.destroy()
    handler?.onError(error)
  }

  /** Ends it if something is late by now. */
  check(now: Milliseconds): void {
    if (now < this.#deadline || this.#isPaused) return
    if (this.#request === undefined) return this.destroy()
    // It is the client that takes its time, which is timed where its body is read.
    if (!this.#isSent && !this.#socket.writableNeedDrain) return
    this.fail(new UpstreamError('late', this.#parser.isInHead ? 'headers_timeout' : 'body_timeout'))
  }

  onInterim(head: ResponseHead): void {
    this.#handler?.onInterim(head)
  }

  onHead(head: ResponseHead): void {
    this.#await()
    this.#handler?.onHead(head)
  }

  onData(piece: Buffer): void {
    this.#handler?.onData(piece)
  }

  onEnd(trailers: string[]): void {
    const handler = this.#handler
    this.#handler = undefined
    this.#request = undefined
    const isFree = this.#isIdle && this.#parser.isReusable && this.#keep()
    if (!isFree) this.destroy()
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
    this.#leave()
    handler.onUpgrade(head, socket)
  }

  /** Nothing of the request is left to be sent on it, and the upstream goes on with it. */
  get #isIdle(): boolean {
    return this.#isSent && this.#socket.writableLength === 0 && !this.#hasEnded
  }

  #progressOf(request: UpstreamRequest): UploadProgress {
    return {
      isWanted: () => this.#request === request && !this.#isGone,
      onWrite: () => this.#await(),
      onSent: () => (this.#isSent = true),
      onTrouble: (error) => this.fail(error),
    }
  }

  /** From now on it may take as long as it may until the next thing comes. */
  #await(): void {
    const { headers, body } = this.#request!.timeouts
    this.#due(this.#parser.isInHead ? headers : body)
  }

  #due(timeout: Milliseconds): void {
    this.#deadline = timeout > 0 ? performance.now() + timeout : Number.POSITIVE_INFINITY
  }

  /** Says false where the server closes it at once. */
  #keep(): boolean {
    const { keepAlive } = this.#parser
    const kept = keepAlive === undefined ? KEPT : Math.min(KEPT, keepAlive * 1000 - KEPT_LESS)
    this.#due(kept)
    return kept > 0
  }

  #parse(read: () => void): void {
    try {
      read()
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error
      this.fail(error)
    }
  }

  #onData = (data: Buffer): void => {
    // An answer that nobody asked for.
    if (this.#request === undefined) return this.destroy()
    this.#hasBegun = true
    if (!this.#parser.isInHead) this.#await()
    this.#parse(() => this.#parser.read(data))
  }

  #onEnd = (): void => {
    this.#hasEnded = true
    if (this.#request === undefined) return this.destroy()
    this.#parse(() => this.#parser.close())
  }

  #onError = (error: NodeJS.ErrnoException): void => {
    // The answer is whole, and only waits to be told.
    if (this.#isPaused && this.#parser.isWhole) return void (this.#hasEnded = true)
    const reason = error.code ?? error.name
    this.fail(new UpstreamError(reason === 'ETIMEDOUT' ? 'late' : 'lost', reason, error))
  }

  #onClose = (): void => {
    // The answer may be whole, and wait to be read on.
    if (!this.#hasEnded || !this.#isPaused) this.fail(new UpstreamError('lost', 'closed'))
  }

  #onDrain = (): void => {
    if (this.#request === undefined || this.#isSent) return
    this.#request.body?.resume()
    this.#await()
  }

  #leave(): void {
    if (this.#isGone) return
    this.#isGone = true
    this.#handler = undefined
    this.#owner.onGone(this)
  }
}
