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
import { countedAddress } from '../client-address.js'
import type { ClientConnections } from './client-connections.js'
import { addressKey } from '../rate-limit.js'

export interface Upgrades {
  /**
   * Returns the handshake if the request is a WebSocket handshake, else `undefined`. The WebSocket counts towards the
   * limits until its connection closes.
   *
   * @throws {PortcullisError} `overloaded` if `limits.upgrades` or `limits.upgradesPerAddress` is reached
   */
  take(request: FastifyRequest): Handshake | undefined
}

/**
 * Emits WebSocket handshakes as ordinary requests, so that the same hooks, target checks and admission apply. Other
 * upgrades aren't supported. Their `Upgrade` header is ignored, as RFC 9110 §7.8 allows.
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
    // No client pipelines a handshake. Its response would overtake the one that is still open.
    if (hasPendingResponse(request)) return void socket.destroy()
    if (!isWebSocketHandshake(request)) return parseAgain(server, request, head)
    const handshake = new Handshake(request, head)
    handshakes.set(request, handshake)
    connections.release(socket)
    server.emit('request', request, handshake.response)
  })
  const counts = new WebSocketCounts(limits)
  return {
    take(request) {
      const handshake = handshakes.get(request.raw)
      if (handshake) {
        const address = countedAddress(request)
        counts.add(address === undefined ? undefined : addressKey(address), request.raw.socket)
      }
      return handshake
    },
  }
}

/** Counts open WebSockets in total and per address, including those whose handshake is in progress. */
class WebSocketCounts {
  readonly #limits: Pick<GatewaySettings['limits'], 'upgrades' | 'upgradesPerAddress'>
  readonly #byAddress = new Map<string, number>()
  #all = 0

  constructor(limits: Pick<GatewaySettings['limits'], 'upgrades' | 'upgradesPerAddress'>) {
    this.#limits = limits
  }

  /** @param address The rate-limit key of the address. `undefined` if the address is unknown. */
  add(address: string | undefined, socket: Socket): void {
    // A closed socket doesn't emit `close` again, so it would never be removed.
    if (socket.closed) return
    const ofAddress = address === undefined ? 0 : (this.#byAddress.get(address) ?? 0)
    if (this.#all >= this.#limits.upgrades || ofAddress >= this.#limits.upgradesPerAddress) {
      throw new PortcullisError('overloaded', { detail: 'Too many WebSockets are open.' })
    }
    this.#all += 1
    if (address !== undefined) this.#byAddress.set(address, ofAddress + 1)
    socket.once('close', () => this.#remove(address))
  }

  #remove(address: string | undefined): void {
    this.#all -= 1
    if (address === undefined) return
    const left = this.#byAddress.get(address)! - 1
    if (left === 0) this.#byAddress.delete(address)
    else this.#byAddress.set(address, left)
  }
}

/**
 * Returns true if an earlier request on the connection has no complete response yet. Node has no API for this, but
 * assigns a socket to one response at a time. `assignSocket` throws while another response has the socket.
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

/**
 * Makes Node parse the request again without its `Upgrade` header. Node stops parsing at an upgrade, before the body.
 */
function parseAgain(server: Server, request: IncomingMessage, head: Buffer): void {
  const { method, url, httpVersion, rawHeaders, socket } = request
  let text = `${method} ${url} HTTP/${httpVersion}\r\n`
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if (rawHeaders[at]!.toLowerCase() !== 'upgrade') text += `${rawHeaders[at]}: ${rawHeaders[at + 1]}\r\n`
  }
  socket.unshift(Buffer.concat([Buffer.from(`${text}\r\n`, 'latin1'), head]))
  server.emit(socket instanceof TLSSocket ? 'secureConnection' : 'connection', socket)
}
