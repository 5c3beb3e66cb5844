import type { FastifyRequest } from 'fastify'
import { isIP } from 'node:net'
import { isPlainHost } from '../src/gateway/forwarded-headers.js'
import type { ForwardedClient } from '../src/gateway/forwarded-headers.js'

/**
 * The address of who asks, as the listed peers tell it (`listen.trustProxy`). What they pass on unread of a client
 * may be no address at all; then it is the last one that is known for sure.
 */
export function clientAddress(request: FastifyRequest): string {
  const { ip } = request
  return isIP(ip) === 0 ? (request.raw.socket.remoteAddress ?? '') : ip
}

/** Who asks, for the headers that an upstream believes. */
export function forwardedClient(request: FastifyRequest): ForwardedClient {
  const { protocol, host } = request
  const own = request.raw.headers.host
  return {
    ip: clientAddress(request),
    protocol: protocol === 'https' || protocol === 'http' ? protocol : 'http',
    host: (isPlainHost(host) ? host : own) || undefined,
  }
}
