import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { GatewaySettings } from '../../src/config.js'
import { createPeerCheck } from '../../src/gateway/original-request.js'
import { createClientReader } from '../../src/gateway/proxy-headers.js'

/** The proxies of `listen.trustProxy`. */
export interface TrustedProxies {
  /** Returns true for the address of a listed proxy. */
  isListed(address: string | undefined): boolean
  /** Reduces the forwarding headers of a listed peer to the client that they describe. */
  readClient(headers: IncomingHttpHeaders): void
}

export function trustedProxies({
  trustProxy,
  trustHeaders,
}: Pick<GatewaySettings['listen'], 'trustProxy' | 'trustHeaders'>): TrustedProxies {
  const isListed = createPeerCheck(trustProxy)
  return { isListed, readClient: createClientReader(trustHeaders, isListed) }
}

/**
 * Returns a function for Fastify's `rewriteUrl` that reads the headers of listed proxies and then calls `next`. It runs
 * there because no hook runs before Fastify logs the address of a request.
 */
export function readProxyHeaders(
  { isListed, readClient }: TrustedProxies,
  next: (request: IncomingMessage) => string,
) {
  return (request: IncomingMessage): string => {
    if (isListed(request.socket.remoteAddress)) readClient(request.headers)
    return next(request)
  }
}
