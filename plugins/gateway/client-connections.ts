import { Server as NetServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { Server as TlsServer } from 'node:tls'
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'
import type { Milliseconds } from '../../src/clock.js'
import { announceClose, beginTurns, abandonPipeline, isIdle } from './pipelining.js'

/** A connection is closed once no request has come on it for as long: one may be on its way. */
const QUIET: Milliseconds = 300
/** Between two looks for quiet connections. */
const LOOK_EVERY: Milliseconds = 50
/** How long a client has for closing its side, before the connection is destroyed. */
const LINGER: Milliseconds = 2_000
/** Connections that are accepted after the drain at most: somebody might make them without an end. */
const MAX_BACKLOG = 1_000

export interface StopOptions {
  /** How long new connections are still accepted. */
  readonly drain: Milliseconds
  /** How long open requests may take after that. */
  readonly shutdown: Milliseconds
  readonly onListenerClosed?: () => void
}

/**
 * The clients' connections to a server, and how they end when it stops. Node's own way destroys connections without a
 * request, and with unread bytes the system resets them: a request that had just arrived is lost.
 */
export class ClientConnections {
  readonly #server: Server
  /** All that the system has open, also in a TLS handshake, or upgraded. */
  readonly #open = new Set<Socket>()
  /** Those that may carry a request. */
  readonly #carriers = new Set<Socket>()
  /** Since when a carrier has been idle, counted from the beginning of the stop. */
  readonly #idle = new Map<Socket, Milliseconds>()
  readonly #endOfDrain = new AbortController()
  /** How many there have been. */
  #accepted = 0
  #isDraining = false
  #isListening = true
  /** The time for open requests is over. */
  #isCut = false
  /** What is finished without a client. */
  #work = 0
  #onChange = (): void => {}

  constructor(server: Server) {
    this.#server = server
    server.on('connection', (socket: Socket) => {
      // Node reads a connection from its beginning again where an upgrade was none.
      if (this.#open.has(socket)) return
      this.#accepted += 1
      this.#track(this.#open, socket)
    })
    const carries = server instanceof TlsServer ? 'secureConnection' : 'connection'
    server.on(carries, (socket: Socket) => {
      if (this.#carriers.has(socket)) return
      this.#track(this.#carriers, socket)
      beginTurns(socket)
      if (this.#isDraining) this.#makeGentle(socket)
    })
  }

  /** The server is about to stop: each response closes its connection, as far as that loses no request. */
  get isDraining(): boolean {
    return this.#isDraining
  }

  /** The connection carries no more requests; it is only cut when the time is over. */
  release(socket: Socket): void {
    this.#carriers.delete(socket)
    this.#idle.delete(socket)
  }

  /** `stop` waits until the function returned is called, too. */
  addWork(): () => void {
    this.#work += 1
    return () => {
      this.#work -= 1
      this.#onChange()
    }
  }

  /** Ends the drain early. Returns false if none is under way. */
  endDrain(): boolean {
    const isUnderWay = this.#isDraining && this.#isListening && !this.#endOfDrain.signal.aborted
    this.#endOfDrain.abort()
    return isUnderWay
  }

  /** Resolves when every connection has ended, or was cut. */
  async stop({ drain, shutdown, onListenerClosed }: StopOptions): Promise<void> {
    this.#isDraining = true
    for (const socket of this.#carriers) {
      announceClose(socket)
      this.#makeGentle(socket)
    }
    const look = setInterval(() => void this.#closeQuiet(), LOOK_EVERY)
    this.#noteIdle()
    if (drain > 0) await delay(drain, undefined, { signal: this.#endOfDrain.signal }).catch(() => {})
    await this.#acceptBacklog()
    this.#isListening = false
    // Without Node's own sweep of idle connections, which `http.Server` would add.
    NetServer.prototype.close.call(this.#server)
    onListenerClosed?.()
    const cut = setTimeout(() => this.#cut(), shutdown)
    await this.#closeQuiet()
    while (!this.#isCut && (this.#open.size > 0 || this.#work > 0)) {
      await new Promise<void>((resolve) => (this.#onChange = resolve))
    }
    clearTimeout(cut)
    clearInterval(look)
  }

  /**
   * Accepts the connections that the system has made for us: it resets those that are left when the listener closes.
   * Node accepts one in a turn of the event loop.
   */
  async #acceptBacklog(): Promise<void> {
    // The first turn may have begun its poll before this call.
    await nextTurn()
    for (let nth = 0, accepted = -1; accepted !== this.#accepted && nth < MAX_BACKLOG; nth += 1) {
      accepted = this.#accepted
      await nextTurn()
    }
  }

  /** Work that isn't over by now fails when the server closes. */
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

  /** Closes what was quiet for long enough, after this turn of the event loop has read what there is to read. */
  async #closeQuiet(): Promise<void> {
    this.#noteIdle()
    if (this.#isListening) return
    const latest = performance.now() - QUIET
    const quiet = [...this.#idle].filter(([, since]) => since <= latest)
    if (quiet.length === 0) return
    await nextTurn()
    for (const [socket] of quiet) if (isIdle(socket)) this.#closeGently(socket)
  }

  #noteIdle(): void {
    const now = performance.now()
    for (const socket of this.#carriers) {
      if (!isIdle(socket)) this.#idle.delete(socket)
      else if (!this.#idle.has(socket)) this.#idle.set(socket, now)
    }
  }

  /** The way that Node closes a connection after a response that said so. */
  #makeGentle(socket: Socket): void {
    socket.destroySoon = () => this.#closeGently(socket)
  }

  /**
   * Sends the end, and reads until the client has closed, too (RFC 9112 §9.6). Destroyed while there is more to read,
   * the connection would be reset, and the last response lost with it.
   */
  #closeGently(socket: Socket): void {
    abandonPipeline(socket)
    this.#idle.delete(socket)
    this.#carriers.delete(socket)
    socket.end()
    const timer = setTimeout(() => socket.destroy(), LINGER)
    socket.once('close', () => clearTimeout(timer))
  }
}
