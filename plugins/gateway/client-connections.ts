import { Server as NetServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { Server as TlsServer } from 'node:tls'
import { setImmediate as nextIteration, setTimeout as delay } from 'node:timers/promises'
import type { Milliseconds } from '../../src/clock.js'
import { closeGently } from './close-gently.js'
import { announceClose, trackPipeline, abandonPipeline, isIdle } from './pipelining.js'

/** The time (ms) that a connection must be idle before a stop closes it. A request may already be in transit. */
const MIN_IDLE_TIME: Milliseconds = 300
/** The time (ms) between two checks for idle connections. */
const POLLING_INTERVAL: Milliseconds = 50
/** The maximum number of connections accepted after the drain. A client could open new ones forever. */
const MAX_BACKLOG = 1_000

export interface StopOptions {
  /** The time (ms) for which new connections are still accepted. */
  readonly drain: Milliseconds
  /** The time (ms) that open requests may take after the drain. */
  readonly shutdown: Milliseconds
  /** Called when no new connection is accepted any more. */
  readonly onListenerClosed?: () => void
}

/**
 * The connections of clients to a server, and a `stop` that loses no request. Node's own `close` would destroy idle
 * connections, and the system resets a connection that has unread bytes, so a request that has just arrived would be
 * lost.
 */
export class ClientConnections {
  readonly #server: Server
  /** All open connections, including those in a TLS handshake and upgraded ones. */
  readonly #open = new Set<Socket>()
  /** Connections that may carry another HTTP request. */
  readonly #carriers = new Set<Socket>()
  /** Times (`performance.now()`) since which carriers are idle. Recorded only while the server stops. */
  readonly #idle = new Map<Socket, Milliseconds>()
  readonly #endOfDrain = new AbortController()
  /** Connections accepted since the start. */
  #accepted = 0
  #isDraining = false
  #isListening = true
  /** True after the time for open requests (`shutdown`) has passed. */
  #isCut = false
  /** The number of requests that are completed even if their client has disconnected. */
  #work = 0
  #onChange = (): void => {}

  constructor(server: Server) {
    this.#server = server
    server.on('connection', (socket: Socket) => {
      // `parseAgain` emits the event twice for one connection, after an upgrade that isn't a WebSocket.
      if (this.#open.has(socket)) return
      this.#accepted += 1
      this.#track(this.#open, socket)
    })
    const carries = server instanceof TlsServer ? 'secureConnection' : 'connection'
    server.on(carries, (socket: Socket) => {
      if (this.#carriers.has(socket)) return
      this.#track(this.#carriers, socket)
      trackPipeline(socket)
      if (this.#isDraining) this.#makeGentle(socket)
    })
  }

  /** True after `stop` was called. Each response then closes its connection, unless that would lose a request. */
  get isDraining(): boolean {
    return this.#isDraining
  }

  /** Marks a connection that carries no more requests. A stop destroys it only after the shutdown timeout. */
  release(socket: Socket): void {
    this.#carriers.delete(socket)
    this.#idle.delete(socket)
  }

  /** Makes `stop` wait until the returned function is called, or until the shutdown timeout. */
  addWork(): () => void {
    this.#work += 1
    return () => {
      this.#work -= 1
      this.#onChange()
    }
  }

  /** Ends the drain early. Returns false if no drain is in progress. */
  endDrain(): boolean {
    const isUnderWay = this.#isDraining && this.#isListening && !this.#endOfDrain.signal.aborted
    this.#endOfDrain.abort()
    return isUnderWay
  }

  /**
   * Drains, closes the listener, and waits for open requests.
   *
   * @returns A promise that resolves when every connection has ended or was destroyed.
   */
  async stop({ drain, shutdown, onListenerClosed }: StopOptions): Promise<void> {
    this.#isDraining = true
    for (const socket of this.#carriers) {
      announceClose(socket)
      this.#makeGentle(socket)
    }
    const polling = setInterval(() => void this.#closeIdle(), POLLING_INTERVAL)
    this.#noteIdle()
    if (drain > 0) await delay(drain, undefined, { signal: this.#endOfDrain.signal }).catch(() => {})
    await this.#acceptBacklog()
    this.#isListening = false
    // Not `http.Server`'s own `close`, which would destroy idle connections.
    NetServer.prototype.close.call(this.#server)
    onListenerClosed?.()
    const cut = setTimeout(() => this.#cut(), shutdown)
    await this.#closeIdle()
    while (!this.#isCut && (this.#open.size > 0 || this.#work > 0)) {
      await new Promise<void>((resolve) => (this.#onChange = resolve))
    }
    clearTimeout(cut)
    clearInterval(polling)
  }

  /**
   * Accepts the connections in the system's backlog, which would be reset when the listener closes. Node accepts one
   * connection per iteration of the event loop.
   */
  async #acceptBacklog(): Promise<void> {
    // The current iteration may have polled for connections before this call.
    await nextIteration()
    for (let rounds = 0, accepted = -1; accepted !== this.#accepted && rounds < MAX_BACKLOG; rounds += 1) {
      accepted = this.#accepted
      await nextIteration()
    }
  }

  /** Destroys all connections. Work that is still in progress fails when the server closes. */
  #cut(): void {
    this.#isCut = true
    for (const socket of this.#open) socket.destroy()
    this.#onChange()
  }

  #track(set: Set<Socket>, socket: Socket): void {
    set.add(socket)
    socket.once('close', () => {
      set.delete(socket)
      this.#idle.delete(socket)
      this.#onChange()
    })
  }

  /** Closes connections that were idle for `MIN_IDLE_TIME`, after the event loop has read bytes that have arrived. */
  async #closeIdle(): Promise<void> {
    this.#noteIdle()
    if (this.#isListening) return
    const latest = performance.now() - MIN_IDLE_TIME
    const idle = [...this.#idle].filter(([, since]) => since <= latest)
    if (idle.length === 0) return
    await nextIteration()
    for (const [socket] of idle) if (isIdle(socket)) this.#closeGently(socket)
  }

  /** Records the time at which each carrier became idle. */
  #noteIdle(): void {
    const now = performance.now()
    for (const socket of this.#carriers) {
      if (!isIdle(socket)) this.#idle.delete(socket)
      else if (!this.#idle.has(socket)) this.#idle.set(socket, now)
    }
  }

  /** Replaces `destroySoon`, with which Node closes a connection after a response with `Connection: close`. */
  #makeGentle(socket: Socket): void {
    socket.destroySoon = () => this.#closeGently(socket)
  }

  #closeGently(socket: Socket): void {
    abandonPipeline(socket)
    this.#idle.delete(socket)
    this.#carriers.delete(socket)
    closeGently(socket)
  }
}
