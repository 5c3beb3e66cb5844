import type { Socket } from 'node:net'
import type { Milliseconds } from '../../clock.js'
import { ClientShares } from './client-shares.js'
import { serializeHead } from './request-head.js'
import type { UpstreamRequest } from './request-head.js'
import { UpstreamConnection } from './upstream-connection.js'
import type { ConnectionOwner, ResponseHandler } from './upstream-connection.js'
import { UpstreamError } from './upstream-error.js'

/** Makes a connection. The kind of an error is `unreachable`. */
export type Connect = (done: (error: UpstreamError | null, socket: Socket | null) => void) => void

interface QueuedRequest {
  readonly head: string
  readonly request: UpstreamRequest
  readonly handler: ResponseHandler
  readonly client: string | undefined
  /** Same clock as `performance.now()`. */
  readonly deadline: Milliseconds
}

/** Polling interval for timeouts. */
const CHECK_INTERVAL: Milliseconds = 250

/**
 * The persistent connections to an upstream server. Each connection carries one request at a time. More requests wait
 * in a queue.
 */
export class UpstreamPool implements ConnectionOwner {
  readonly #connect: Connect
  readonly #maxConnections: number
  readonly #shares: ClientShares
  readonly #maxHead: number | undefined
  readonly #connections = new Set<UpstreamConnection>()
  /**
   * A stack, so that the most recently used connection is used first. The others reach their idle time and are
   * closed.
   */
  readonly #free: UpstreamConnection[] = []
  /**
   * Connections that were made or became free in this turn of the event loop. They are used in the next one, because data
   * without a request, or the end of the connection, is read in that turn and then ends the connection.
   */
  readonly #resting: UpstreamConnection[] = []
  #queue: QueuedRequest[] = []
  /** Number of connections, including those that are being made. */
  #size = 0
  /** Number of connections that are being made. Each goes to the first request in the queue. */
  #connecting = 0
  /** Errors of connections that could not be made in this turn of the event loop. */
  #connectErrors: UpstreamError[] = []
  #immediate: NodeJS.Immediate | undefined
  #checkTimer: NodeJS.Timeout | undefined
  #isDestroyed = false

  /**
   * @param options.groupClient Returns what counts as one client.
   * @param options.maxHead Limit for a response head, in bytes.
   */
  constructor(options: {
    connect: Connect
    most: number
    groupClient?: (address: string) => string
    maxHead?: number | undefined
  }) {
    const { connect, most, groupClient, maxHead } = options
    this.#connect = connect
    this.#maxHead = maxHead
    this.#maxConnections = most
    this.#shares = new ClientShares(most, groupClient)
  }

  /** The number of connections, including those that are being made. */
  get size(): number {
    return this.#size
  }

  /**
   * Sends a request as soon as a connection is available. If the request has a body, it takes no connection before the
   * first piece of the body has arrived. Clients that send nothing could otherwise occupy all connections.
   */
  dispatch(request: UpstreamRequest, handler: ResponseHandler): void {
    const head = serializeHead(request)
    if (head === undefined) return handler.onError(new UpstreamError('broken', 'line_break'))
    const { body } = request
    const isBodyLate = body !== null && body.readableLength === 0 && !body.readableEnded
    // Also emitted at the end of an empty body. After an error of the body, nothing has to be sent.
    if (isBodyLate) body.once('readable', () => this.#enqueue(head, request, handler))
    else this.#enqueue(head, request, handler)
  }

  #enqueue(head: string, request: UpstreamRequest, handler: ResponseHandler): void {
    if (this.#isDestroyed) return handler.onError(new UpstreamError('lost', 'destroyed'))
    const { headers } = request.timeouts
    const deadline = headers > 0 ? performance.now() + headers : Number.POSITIVE_INFINITY
    const client = this.#shares.find(request.client)
    this.#queue.push({ head, request, handler, client, deadline })
    this.#scheduleAssignment()
  }

  /** Closes all connections immediately. Open requests fail. */
  destroy(): void {
    this.#isDestroyed = true
    clearInterval(this.#checkTimer)
    clearImmediate(this.#immediate)
    const queue = this.#queue.splice(0)
    for (const connection of this.#connections) connection.fail(new UpstreamError('lost', 'destroyed'))
    for (const { handler } of queue) handler.onError(new UpstreamError('lost', 'destroyed'))
  }

  onFree(connection: UpstreamConnection): void {
    this.#release(connection)
    this.#resting.push(connection)
    this.#scheduleAssignment()
  }

  onGone(connection: UpstreamConnection): void {
    this.#release(connection)
    this.#connections.delete(connection)
    for (const list of [this.#free, this.#resting]) {
      const at = list.indexOf(connection)
      if (at !== -1) list.splice(at, 1)
    }
    this.#onConnectionRemoved()
  }

  /**
   * Schedules `#assignRequests` for the end of this turn of the event loop, after all sockets were read. If the
   * upstream has closed an idle connection, or has sent unexpected data on it, the connection is then no longer used.
   */
  #scheduleAssignment(): void {
    this.#immediate ??= setImmediate(this.#assignRequests)
  }

  #assignRequests = (): void => {
    this.#immediate = undefined
    const failed = this.#takeFailed()
    const queue = this.#queue
    let kept = 0
    for (let at = 0; at < queue.length; at += 1) {
      const queued = queue[at]!
      if (!queued.handler.isSettled && !this.#send(queued)) queue[kept++] = queued
    }
    queue.length = kept
    if (this.#resting.length > 0) {
      this.#endRest()
      if (queue.length > 0) this.#scheduleAssignment()
    }
    let missing = 0 - this.#free.length
    for (const { client } of queue) if (this.#shares.hasRoom(client)) missing += 1
    while (this.#connecting < missing && this.#size < this.#maxConnections) this.#open()
    if (this.#checkTimer === undefined && (this.#size > 0 || queue.length > 0)) {
      this.#checkTimer = setInterval(this.#checkTimeouts, CHECK_INTERVAL).unref()
    }
    for (const { handler, error } of failed) handler.onError(error)
  }

  /** Sends a request if a connection is free, and if its client doesn't occupy too many. */
  #send({ head, request, handler, client }: QueuedRequest): boolean {
    if (this.#free.length === 0 || !this.#shares.hasRoom(client)) return false
    const connection = this.#free.pop()!
    this.#shares.take((connection.client = client))
    connection.send(head, request, handler)
    return true
  }

  #release(connection: UpstreamConnection): void {
    this.#shares.release(connection.client)
    connection.client = undefined
  }

  #endRest(): void {
    // From the last to the first, so that the connection that has rested longest is used first.
    for (let connection; (connection = this.#resting.pop()) !== undefined;) {
      if (connection.isFlushed) this.#free.push(connection)
      else connection.destroy()
    }
  }

  #open(): void {
    this.#connecting += 1
    this.#size += 1
    this.#connect((error, socket) => {
      this.#connecting -= 1
      if (this.#isDestroyed) return void socket?.destroy()
      if (socket === null) return this.#onUnreachable(error!)
      const connection = new UpstreamConnection(socket, this, this.#maxHead)
      this.#connections.add(connection)
      this.onFree(connection)
    })
  }

  /** Collects the error. All errors of one turn are handled in one pass over the queue, to avoid quadratic time. */
  #onUnreachable(error: UpstreamError): void {
    if (this.#queue.length > 0) this.#connectErrors.push(error)
    this.#onConnectionRemoved()
  }

  /** Removes one request from the queue per failed connection, but none for which another connection is available. */
  #takeFailed(): { handler: ResponseHandler; error: UpstreamError }[] {
    const refused = this.#connectErrors.splice(0)
    if (refused.length === 0) return []
    this.#queue = this.#queue.filter(({ handler }) => !handler.isSettled)
    const ready = this.#free.length + this.#resting.length
    const count = Math.min(refused.length, Math.max(0, this.#queue.length - this.#connecting - ready))
    return this.#queue.splice(ready, count).map(({ handler }, at) => ({ handler, error: refused[at]! }))
  }

  #onConnectionRemoved(): void {
    this.#size -= 1
    if (this.#queue.length > 0) this.#scheduleAssignment()
  }

  #checkTimeouts = (): void => {
    const now = performance.now()
    for (const connection of this.#connections) connection.check(now)
    const late: QueuedRequest[] = []
    this.#queue = this.#queue.filter((queued) => {
      if (queued.handler.isSettled) return false
      if (now < queued.deadline) return true
      late.push(queued)
      return false
    })
    for (const { handler } of late) handler.onError(new UpstreamError('late', 'in_line'))
    if (this.#size > 0 || this.#queue.length > 0) return
    clearInterval(this.#checkTimer)
    this.#checkTimer = undefined
  }
}
