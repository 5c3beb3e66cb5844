import type { Socket } from 'node:net'
import type { Milliseconds } from '../../clock.js'
import { serializeHead } from './request-head.js'
import type { UpstreamRequest } from './request-head.js'
import { UpstreamConnection } from './upstream-connection.js'
import type { ConnectionOwner, ResponseHandler } from './upstream-connection.js'
import { UpstreamError } from './upstream-error.js'

/** Makes a connection; the error is `unreachable`. */
export type Connect = (done: (error: UpstreamError | null, socket: Socket | null) => void) => void

interface Waiting {
  readonly head: string
  readonly request: UpstreamRequest
  readonly handler: ResponseHandler
  /** By `performance.now()`. */
  readonly deadline: Milliseconds
}

/** How exactly timeouts are kept. */
const CHECK_EVERY: Milliseconds = 250

/**
 * The connections to a server, kept for more than one request; each has one at a time, and more requests wait in
 * line.
 */
export class UpstreamPool implements ConnectionOwner {
  readonly #connect: Connect
  readonly #most: number
  readonly #connections = new Set<UpstreamConnection>()
  /** The last one used is the first to be used again: the others get old, and are closed. */
  readonly #free: UpstreamConnection[] = []
  /**
   * Free since this turn of the event loop, while somebody waits. What came right behind the answer, more of it or the
   * end of the connection, is read in the next turn.
   */
  readonly #resting: UpstreamConnection[] = []
  #waiting: Waiting[] = []
  /** Those that are being made included. */
  #size = 0
  /** Being made. Whoever waits first gets the next. */
  #connecting = 0
  /** The errors of connections that could not be made in this turn of the event loop. */
  #refused: UpstreamError[] = []
  #next: NodeJS.Immediate | undefined
  #check: NodeJS.Timeout | undefined
  #isDestroyed = false

  constructor({ connect, most }: { connect: Connect; most: number }) {
    this.#connect = connect
    this.#most = most
  }

  /** How many connections there are, those that are being made included. */
  get size(): number {
    return this.#size
  }

  /** Sends a request when there is a connection for it. */
  dispatch(request: UpstreamRequest, handler: ResponseHandler): void {
    const head = serializeHead(request)
    if (head === undefined) return handler.onError(new UpstreamError('broken', 'line_break'))
    if (this.#isDestroyed) return handler.onError(new UpstreamError('lost', 'destroyed'))
    const { headers } = request.timeouts
    const deadline = headers > 0 ? performance.now() + headers : Number.POSITIVE_INFINITY
    this.#waiting.push({ head, request, handler, deadline })
    this.#soon()
  }

  /** Closes every connection now; what is under way fails. */
  destroy(): void {
    this.#isDestroyed = true
    clearInterval(this.#check)
    clearImmediate(this.#next)
    const waiting = this.#waiting.splice(0)
    for (const connection of this.#connections) connection.fail(new UpstreamError('lost', 'destroyed'))
    for (const { handler } of waiting) handler.onError(new UpstreamError('lost', 'destroyed'))
  }

  onFree(connection: UpstreamConnection): void {
    if (this.#waiting.length === 0) return void this.#free.push(connection)
    this.#resting.push(connection)
    this.#soon()
  }

  onGone(connection: UpstreamConnection): void {
    this.#connections.delete(connection)
    for (const list of [this.#free, this.#resting]) {
      const at = list.indexOf(connection)
      if (at !== -1) list.splice(at, 1)
    }
    this.#shrink()
  }

  /**
   * Requests are handed out together when this turn of the event loop has read what there is to read: so what an
   * upstream sent unasked on a kept connection, or its end, is seen before the connection is used again.
   */
  #soon(): void {
    this.#next ??= setImmediate(this.#handOut)
  }

  #handOut = (): void => {
    this.#next = undefined
    const failed = this.#takeFailed()
    const waiting = this.#waiting
    let at = 0
    for (; at < waiting.length; at += 1) {
      const { head, request, handler } = waiting[at]!
      if (handler.isSettled) continue
      const connection = this.#free.pop()
      if (connection === undefined) break
      connection.send(head, request, handler)
    }
    if (at === waiting.length) waiting.length = 0
    else waiting.splice(0, at)
    if (this.#resting.length > 0) {
      this.#free.push(...this.#resting.splice(0))
      if (waiting.length > 0) this.#soon()
    }
    const lacking = waiting.length - this.#free.length
    while (this.#connecting < lacking && this.#size < this.#most) this.#open()
    if (this.#check === undefined && (this.#size > 0 || waiting.length > 0)) {
      this.#check = setInterval(this.#checkAll, CHECK_EVERY).unref()
    }
    for (const { handler, error } of failed) handler.onError(error)
  }

  #open(): void {
    this.#connecting += 1
    this.#size += 1
    this.#connect((error, socket) => {
      this.#connecting -= 1
      if (this.#isDestroyed) return void socket?.destroy()
      if (socket === null) return this.#onUnreachable(error!)
      const connection = new UpstreamConnection(socket, this)
      this.#connections.add(connection)
      const next = this.#take()
      if (next) connection.send(next.head, next.request, next.handler)
      else this.#free.push(connection)
    })
  }

  /** All refusals of a turn are handled together: a pass over the waiting requests for each would be quadratic. */
  #onUnreachable(error: UpstreamError): void {
    if (this.#waiting.length > 0) this.#refused.push(error)
    this.#shrink()
  }

  /** Removes one waiting request per refused connection, but none that will have another connection. */
  #takeFailed(): { handler: ResponseHandler; error: UpstreamError }[] {
    const refused = this.#refused.splice(0)
    if (refused.length === 0) return []
    this.#waiting = this.#waiting.filter(({ handler }) => !handler.isSettled)
    const coming = this.#connecting + this.#free.length + this.#resting.length
    const count = Math.min(refused.length, Math.max(0, this.#waiting.length - coming))
    return this.#waiting.splice(0, count).map(({ handler }, at) => ({ handler, error: refused[at]! }))
  }

  #take(): Waiting | undefined {
    for (;;) {
      const next = this.#waiting.shift()
      if (next === undefined || !next.handler.isSettled) return next
    }
  }

  #shrink(): void {
    this.#size -= 1
    if (this.#waiting.length > 0) this.#soon()
  }

  #checkAll = (): void => {
    const now = performance.now()
    for (const connection of this.#connections) connection.check(now)
    const late: Waiting[] = []
    this.#waiting = this.#waiting.filter((one) => {
      if (one.handler.isSettled) return false
      if (now < one.deadline) return true
      late.push(one)
      return false
    })
    for (const { handler } of late) handler.onError(new UpstreamError('late', 'in_line'))
    if (this.#size > 0 || this.#waiting.length > 0) return
    clearInterval(this.#check)
    this.#check = undefined
  }
}
