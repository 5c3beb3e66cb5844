/**
 * Recognizes requests that come back to the route that has forwarded them, by `CDN-Loop` (RFC 8586), which intermediaries
 * pass on. `Via` would also do, but its presence makes nginx and others send their responses uncompressed.
 */
import { randomBytes } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

/**
 * Creates the id of a route in this process. Each route has its own, because an application behind one route may call
 * another route with the headers that it received.
 */
export function createHopId(): string {
  return `portcullis-${randomBytes(6).toString('hex')}`
}

/** Returns true if the request has been forwarded by the route with this id. */
export function isLoop({ 'cdn-loop': hops }: IncomingHttpHeaders, id: string): boolean {
  return hops !== undefined && String(hops).includes(id)
}
