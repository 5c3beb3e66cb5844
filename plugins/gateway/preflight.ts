import { METHODS } from 'node:http'
import type { IncomingHttpHeaders } from 'node:http'

/**
 * Returns the method that a preflight asks for (`Access-Control-Request-Method`), or `undefined` if the request is no
 * preflight of a browser.
 *
 * Browsers send a preflight without a body, cookies and `Authorization` (Fetch §4.8). A request that has one of them
 * must not pass as a preflight, because a preflight needs no token.
 */
export function preflightMethod({
  method,
  headers,
}: {
  readonly method: string
  readonly headers: IncomingHttpHeaders
}): string | undefined {
  if (method !== 'OPTIONS' || headers.origin === undefined) return undefined
  if (headers.authorization !== undefined || headers.cookie !== undefined || hasBody(headers))
    return undefined
  const next = headers['access-control-request-method']
  return next !== undefined && METHODS.includes(next) ? next : undefined
}

function hasBody(headers: IncomingHttpHeaders): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) !== 0
}
