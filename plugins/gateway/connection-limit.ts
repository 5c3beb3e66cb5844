import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { Server as TlsServer } from 'node:tls'
import type { FastifyBaseLogger } from 'fastify'
import { readOpenFilesLimit } from '../../src/open-files.js'
import { addressKey } from '../client-address.js'
import { createSampler } from '../../src/sample.js'
import { isReceiving, isServing } from './pipelining.js'

/** Connections that are considered when one has to make room. It bounds the work per new connection. */
const MAX_CANDIDATES = 64

interface Connection {
  /** The socket that carries requests. Until the end of a TLS handshake, the socket below it. */
  socket: Socket
  readonly address: string
}

const KEPT = Symbol('kept')

type KeptSocket = Socket & { [KEPT]?: true }

/** Marks a WebSocket, which has limits of its own and is never closed for another connection. */
export function keepOpen(socket: KeptSocket): void {
  socket[KEPT] = true
}

/**
 * Bounds the open connections of clients, so that idle ones can't use up the file descriptors of the process.
 *
 * When the limit is reached, a new connection takes the place of another: among the connections considered, one of the
 * address that has the most. It is one without a request, or else one whose request hasn't completely arrived, so no
 * response to a whole request is lost. The latter is closed only for an address that has at least two connections fewer,
 * so that clients with equally many don't cut each other's uploads. If there is none, the newcomer is closed. So a client
 * that opens connections without end only closes its own.
 *
 * @param max `limits.connections`; 0 means three quarters of the process's file descriptors.
 */
export function limitConnections(server: Server, max: number, log: FastifyBaseLogger): void {
  const limit = max > 0 ? max : Math.max(1, Math.floor((readOpenFilesLimit() * 3) / 4))
  const connections = new LimitedConnections(limit)
  const sample = createSampler()
  const add = (socket: Socket): void => {
    if (connections.add(socket)) return
    sample(() =>
      log.warn(
        { event: 'connections_limited', limit },
        'the limit on connections is reached, so some are closed for new ones',
      ),
    )
  }
  server.on('connection', add)
  if (server instanceof TlsServer) server.on('secureConnection', add)
}

class LimitedConnections {
  readonly #limit: number
  /** By peer, those that were considered or accepted longest ago first. */
  readonly #byPeer = new Map<string, Connection>()
  readonly #counts = new Map<string, number>()

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Adds a socket, or the TLS socket on top of it. Returns false if that closed a connection. */
  add(socket: Socket): boolean {
    const peer = identify(socket)
    const known = this.#byPeer.get(peer)
    if (known && !known.socket.destroyed) {
      // The end of a TLS handshake, or an upgrade to a protocol that isn't supported.
      known.socket = socket
      return true
    }
    const address = addressKey(socket.remoteAddress)
    const isFull = this.#byPeer.size >= this.#limit
    const victim = isFull ? this.#findVictim(address) : undefined
    if (isFull && victim === undefined) {
      socket.destroy()
      return false
    }
    const connection: Connection = { socket, address }
    this.#byPeer.set(peer, connection)
    this.#counts.set(address, this.#count(address) + 1)
    socket.once('close', () => this.#remove(peer, connection))
    if (victim === undefined) return true
    this.#remove(...victim)
    victim[1].socket.destroy()
    return false
  }

  #findVictim(newcomer: string): [peer: string, connection: Connection] | undefined {
    let victim: [peer: string, connection: Connection] | undefined
    const own = this.#count(newcomer)
    let [most, isVictimReceiving] = [own, false]
    let considered = 0
    // A connection that was considered goes to the end, so that the next search begins with others.
    for (const [peer, connection] of this.#byPeer) {
      this.#byPeer.delete(peer)
      this.#byPeer.set(peer, connection)
      const { socket, address } = connection
      const count = this.#count(address)
      const isBusy = isServing(socket)
      const isBetter = count > most || (count === most && (!victim || (isVictimReceiving && !isBusy)))
      if (isBetter && !isKept(socket) && (!isBusy || (count > own + 1 && isReceiving(socket)))) {
        victim = [peer, connection]
        most = count
        isVictimReceiving = isBusy
        // No other address can have more.
        if (count > this.#limit / 2 && !isBusy) break
      }
      considered += 1
      if (considered >= Math.min(MAX_CANDIDATES, this.#byPeer.size)) break
    }
    return victim
  }

  #remove(peer: string, connection: Connection): void {
    if (this.#byPeer.get(peer) !== connection) return
    this.#byPeer.delete(peer)
    const left = this.#count(connection.address) - 1
    if (left === 0) this.#counts.delete(connection.address)
    else this.#counts.set(connection.address, left)
  }

  #count(address: string): number {
    return this.#counts.get(address) ?? 0
  }
}

function isKept(socket: KeptSocket): boolean {
  return socket[KEPT] === true
}

/** Identifies a connection. A TLS socket and the socket below it have the same addresses. */
function identify({ remoteAddress, remotePort, localAddress }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`
}
