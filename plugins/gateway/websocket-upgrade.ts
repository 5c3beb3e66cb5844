import type { Server } from 'node:http'
import { ServerResponse } from 'node:http'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { GatewaySettings } from '../../src/config.js'
import { PortcullisError } from '../../src/errors.js'
import { Handshake } from '../../src/gateway/tunnel.js'
import { isWebSocketHandshake } from '../../src/gateway/websocket.js'
import { clientAddress } from '../client-address.js'
import type { ClientConnections } from './client-connections.js'
import { addressKey } from '../rate-limit.js'

export interface Upgrades {
  /**
   * The handshake that a request is, or undefined. From now until its connection closes it counts.
   *
   * @throws {PortcullisError} `overloaded`
   */
  take(request: FastifyRequest): Handshake | undefined
}

/**
 * Lets WebSocket handshakes come as requests like all others, so that they meet the same hooks, the same judgement of
 * their target, and the same gate. Any other upgrade is not known here: the request is answered as if it asked for none
 * (RFC 9110 §7.8).
 */
export function registerUpgrades(
  app: FastifyInstance,
  { limits }: Pick<GatewaySettings, 'limits'>,
  connections: ClientConnections,
): Upgrades {
  const handshakes = new WeakMap<IncomingMessage, Handshake>()
  const server = app.server as Server
  server.on('upgrade', (request: IncomingMessage, _socket, head: Buffer) => {
    const { socket } = request
    // Nobody sends a handshake before the last answer has come. Its own would overtake that.
    if (hasPendingResponse(request)) return void socket.destroy()
    if (!isWebSocketHandshake(request)) return parseAgain(server, request, head)
    const handshake = new Handshake(request, head)
    handshakes.set(request, handshake)
    connections.release(socket)
    server.emit('request', request, handshake.response)
  })
  const counts = new Counts(limits)
  return {
    take(request) {
      const handshake = handshakes.get(request.raw)
      if (handshake) counts.add(addressKey(clientAddress(request)), request.raw.socket)
      return handshake
    },
  }
}

/** How many WebSockets are open, in all and by address; those that are being opened included. */
class Counts {
  readonly #limits: Pick<GatewaySettings['limits'], 'upgrades' | 'upgradesPerAddress'>
  readonly #byAddress = new Map<string, number>()
  #all = 0

  constructor(limits: Pick<GatewaySettings['limits'], 'upgrades' | 'upgradesPerAddress'>) {
    this.#limits = limits
  }

  add(address: string, socket: Socket): void {
    // It went away meanwhile, and says so only once.
    if (socket.closed) return
    const ofAddress = this.#byAddress.get(address) ?? 0
    if (this.#all >= this.#limits.upgrades || ofAddress >= this.#limits.upgradesPerAddress) {
      throw new PortcullisError('overloaded', { detail: 'Too many WebSockets are open.' })
    }
    this.#all += 1
    this.#byAddress.set(address, ofAddress + 1)
    socket.once('close', () => this.#remove(address))
  }

  #remove(address: string): void {
    this.#all -= 1
    const left = this.#byAddress.get(address)! - 1
    if (left === 0) this.#byAddress.delete(address)
    else this.#byAddress.set(address, left)
  }
}

/**
 * Whether an earlier request on the connection is still to be answered. Node has no word for it, but gives a connection
 * to one response at a time: taking it fails while another has it.
 */
function hasPendingResponse(request: IncomingMessage): boolean {
  const probe = new ServerResponse(request)
  try {
    probe.assignSocket(request.socket)
  } catch {
    return true
  }
  probe.detachSocket(request.socket)
  return false
}

/** Gives Node a request to read once more, without its `Upgrade`; it has stopped reading there, body and all. */
function parseAgain(server: Server, request: IncomingMessage, head: Buffer): void {
  const { method, url, httpVersion, rawHeaders, socket } = request
  let text = `${method} ${url} HTTP/${httpVersion}\r\n`
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if (rawHeaders[at]!.toLowerCase() !== 'upgrade') text += `${rawHeaders[at]}: ${rawHeaders[at + 1]}\r\n`
  }
  socket.unshift(Buffer.concat([Buffer.from(`${text}\r\n`, 'latin1'), head]))
  server.emit(socket instanceof TLSSocket ? 'secureConnection' : 'connection', socket)
}
