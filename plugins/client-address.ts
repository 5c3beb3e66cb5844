import { normalizeIP } from '@fastify/rate-limit'
import type { FastifyRequest } from 'fastify'
import { isPlainHost } from '../src/gateway/forwarded-headers.js'
import type { ForwardedClient } from '../src/gateway/forwarded-headers.js'
import { parseNode } from '../src/gateway/proxy-headers.js'
import { createSampler } from '../src/sample.js'

const sample = createSampler()

/**
 * Returns the client's address, which trusted proxies (`listen.trustProxy`) report. Proxies may report a text that
 * isn't an address. The function then returns the address of the peer itself.
 */
export function clientAddress(request: FastifyRequest): string {
  return parseNode(request.ip ?? '') ?? peerAddress(request) ?? ''
}

/** Returns the address of the peer of the connection. An injected request may have no connection. */
export function peerAddress(request: FastifyRequest): string | undefined {
  const { socket } = request.raw as { socket?: { remoteAddress?: string | undefined } }
  return socket?.remoteAddress
}

/**
 * Returns the address that rate limits count by. Returns `undefined` if a trusted proxy reports a text that isn't an
 * address, and logs that. The address of the proxy must not be counted instead, because one client could then use up
 * the limits of all clients behind that proxy.
 */
export function countedAddress(request: FastifyRequest): string | undefined {
  const { ip, log } = request
  const peer = peerAddress(request)
  const address = parseNode(ip ?? '')
  if (address !== undefined || ip === peer || peer === undefined) return address ?? peer
  sample(() =>
    log.warn(
      { event: 'client_address_unknown', peer, received: ip.slice(0, 100) },
      'a trusted proxy reports a client that is not an IP address; limits by address don’t count these requests (logged at most once per second)',
    ),
  )
  return undefined
}

/** Returns address, protocol and host of the client for the forwarding headers, which upstreams trust. */
export function forwardedClient(request: FastifyRequest): ForwardedClient {
  const { protocol, host } = request
  const own = request.raw.headers.host
  return {
    ip: clientAddress(request),
    protocol: protocol === 'https' || protocol === 'http' ? protocol : 'http',
    host: (isPlainHost(host) ? host : own) || undefined,
  }
}

/**
 * Returns the rate-limit key of an address. An IPv6 address counts by its /64, because a subscriber has at least a /64.
 * Peers without an address, on a Unix socket, share the key `none`.
 */
export function addressKey(ip: string | undefined): string {
  return normalizeIP(ip ?? 'none', 64)
}
