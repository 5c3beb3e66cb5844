/** Tells requests of our own pages from those that another site makes a browser send (CSRF). */
import { PortcullisError } from '../errors.js'

export interface BrowserHeaders {
  readonly origin?: string | undefined
  readonly host?: string | undefined
  readonly 'sec-fetch-site'?: string | string[] | undefined
}

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Whether a method is one that may change something (RFC 9110 §9.2.1). */
export function changesState(method: string): boolean {
  return !SAFE_METHODS.has(method)
}

/**
 * For what a cookie authorises or sets: the `Origin` must have the request's own `Host`, or be one of `origins`
 * (`cors.origins`); without an `Origin`, the browser must say that it is `same-origin`.
 *
 * @throws {PortcullisError} `cross_site_request`
 */
export function rejectCrossSite(headers: BrowserHeaders, origins: readonly string[]): void {
  const { origin, host } = headers
  if (origin === undefined) {
    if (headers['sec-fetch-site'] === 'same-origin') return
    throw crossSiteError('there is neither an Origin header nor Sec-Fetch-Site: same-origin')
  }
  if (origins.includes(origin) || (host !== undefined && matchesHost(origin, host))) return
  throw crossSiteError('the Origin header is not of this host')
}

function matchesHost(origin: string, host: string): boolean {
  if (!URL.canParse(origin)) return false
  const { protocol, host: originHost, origin: canonical } = new URL(origin)
  if (canonical !== origin.toLowerCase()) return false
  const defaultPort = protocol === 'https:' ? ':443' : ':80'
  const bare = host.toLowerCase()
  return originHost === (bare.endsWith(defaultPort) ? bare.slice(0, -defaultPort.length) : bare)
}

function crossSiteError(why: string): PortcullisError {
  return new PortcullisError('cross_site_request', {
    detail: `A request that changes something by a cookie must come from this origin; ${why}.`,
  })
}
