import type { FastifyRequest } from 'fastify'
import { isIP } from 'node:net'
import { isPlainHost } from '../src/gateway/forwarded-headers.js'
import type { ForwardedClient } from '../src/gateway/forwarded-headers.js'

/**
 * Returns the client's address, which trusted proxies (`listen.trustProxy`) report in `X-Forwarded-For`. Proxies may
 * forward a text that isn't an address. The function then returns the address of the peer itself.
 */
export function clientAddress(request: FastifyRequest): string {
  const { ip } = request
  return isIP(ip) === 0 ? (request.raw.socket.remoteAddress ?? '') : ip
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
