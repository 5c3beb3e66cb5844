import type { Server } from 'node:http'
import { ServerResponse } from 'node:http'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { GatewaySettings } from '../../src/config.js'
import { PortcullisError } from '../../src/errors.js'
import { Handshake } from '../../src/gateway/tunnel.js'
import { findHandshakeFault, isWebSocketAttempt } from '../../src/gateway/websocket-handshake.js'
import { createSampler } from '../../src/sample.js'
import type { Auth } from '../../src/token/auth.js'
import { addressKey, countedAddress } from '../client-address.js'
import type { ClientConnections } from './client-connections.js'
import { keepOpen } from './connection-limit.js'

export interface Upgrades {
  /** Returns the handshake if the request is a WebSocket handshake, else `undefined`. */
  find(request: FastifyRequest): Handshake | undefined
  /**
   * Counts an admitted WebSocket until its connection closes: by subject, or by client address if it is anonymous. A
   * handshake isn't counted before, because a client without a token could then take the places of others.
   *
   * @throws {PortcullisError} `overloaded` if `limits.upgrades` or `limits.upgradesPerAddress` is reached
   */
  count(request: FastifyRequest, auth: Auth | null): void
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
  const sample = createSampler()
  const logIgnored = (reason: string) =>
    sample(() =>
      app.log.warn(
        { event: 'handshake_ignored', reason },
        'a WebSocket handshake is handled as an ordinary request (logged at most once per second)',
      ),
    )
  /** Connections with a handshake whose fault was logged. */
  const parsedAgain = new WeakSet<Socket>()
  server.on('upgrade', (request: IncomingMessage, _socket, head: Buffer) => {
    const { socket } = request
    // No client pipelines a handshake. Its response would overtake the one that is still open.
    if (hasPendingResponse(request)) return void socket.destroy()
    const fault = findHandshakeFault(request)
    if (fault !== undefined) {
      if (isWebSocketAttempt(request)) logIgnored(fault)
      parsedAgain.add(socket)
      return parseAgain(server, request, head)
    }
    const handshake = new Handshake(request, head)
    handshakes.set(request, handshake)
    connections.release(socket)
    server.emit('request', request, handshake.response)
  })
  const counts = new WebSocketCounts(limits)
  return {
    find({ raw }) {
      const handshake = handshakes.get(raw)
      // Node emits no upgrade without `Connection: Upgrade`. Proxies drop it together with `Upgrade`, but not the key.
      if (!handshake && raw.headers['sec-websocket-key'] !== undefined && !parsedAgain.has(raw.socket))
        logIgnored('no_upgrade')
      return handshake
    },
    count(request, auth) {
      const { socket } = request.raw
      const address = countedAddress(request)
      counts.add(auth ? `sub:${auth.sub}` : address === undefined ? undefined : addressKey(address), socket)
      keepOpen(socket)
    },
  }
}

/** Counts admitted WebSockets in total and by holder, including those whose upstream hasn't responded yet. */
class WebSocketCounts {
  readonly #limits: Pick<GatewaySettings['limits'], 'upgrades' | 'upgradesPerAddress'>
  readonly #byHolder = new Map<string, number>()
  #all = 0

  constructor(limits: Pick<GatewaySettings['limits'], 'upgrades' | 'upgradesPerAddress'>) {
    this.#limits = limits
  }

  /** @param holder The subject, or the rate-limit key of the address. `undefined` if the address is unknown. */
  add(holder: string | undefined, socket: Socket): void {
    // A closed socket doesn't emit `close` again, so it would never be removed.
    if (socket.closed) return
    const ofHolder = holder === undefined ? 0 : (this.#byHolder.get(holder) ?? 0)
    if (this.#all >= this.#limits.upgrades || ofHolder >= this.#limits.upgradesPerAddress) {
      throw new PortcullisError('overloaded', { detail: 'Too many WebSockets are open.' })
    }
    this.#all += 1
    if (holder !== undefined) this.#byHolder.set(holder, ofHolder + 1)
    socket.once('close', () => this.#remove(holder))
  }

  #remove(holder: string | undefined): void {
    this.#all -= 1
    if (holder === undefined) return
    const left = this.#byHolder.get(holder)! - 1
    if (left === 0) this.#byHolder.delete(holder)
    else this.#byHolder.set(holder, left)
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
