/** Distinguishes requests of our own pages from requests that another site makes a browser send (CSRF). */
import { PortcullisError } from '../errors.js'
import { withoutDefaultPort } from '../host.js'

/** The request headers that say where a request comes from. */
export interface BrowserHeaders {
  readonly origin?: string | undefined
  readonly host?: string | undefined
  /** The host that a trusted proxy reports. Equal to `host` or absent if there is none. */
  readonly forwardedHost?: string | undefined
  /** The name of `Host` in HTTP/2 (RFC 9113 §8.3.1). */
  readonly ':authority'?: string | string[] | undefined
  readonly 'sec-fetch-site'?: string | string[] | undefined
}

/** The request headers of a WebSocket handshake (RFC 6455 §4.1). */
export interface HandshakeHeaders {
  readonly upgrade?: string | undefined
  readonly 'sec-websocket-key'?: string | string[] | undefined
}

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Returns true unless the method is safe (RFC 9110 §9.2.1). */
export function changesState(method: string): boolean {
  return !SAFE_METHODS.has(method)
}

/**
 * Returns true for a WebSocket handshake. It counts as a change of state, although its method is GET. Proxies may remove
 * `Upgrade` but keep the other headers.
 */
export function isHandshake(headers: HandshakeHeaders): boolean {
  if (headers['sec-websocket-key'] !== undefined) return true
  return headers.upgrade !== undefined && headers.upgrade.toLowerCase().includes('websocket')
}

/**
 * Rejects requests from other sites. Call it where a cookie authorises a change, or where cookies are set. `Origin`
 * must match the request's own `Host`, or the host that a trusted proxy reports, or be one of `origins`
 * (`cors.origins`). Without `Origin`, or if it is `null`, the header `Sec-Fetch-Site` must be `same-origin`. Browsers
 * send `Origin: null` from pages with `Referrer-Policy: no-referrer`, and from sandboxed frames, which are `cross-site`
 * to every origin (Fetch Metadata §2.3).
 *
 * @param isSecure True if the client is known to have used https. Its page must have done so, too: anybody on the
 *   network can change a page that was loaded over http. If unknown, TLS may have ended at a proxy, and both pass.
 * @throws {PortcullisError} `cross_site_request`
 */
export function rejectCrossSite(
  headers: BrowserHeaders,
  origins: readonly string[],
  isSecure: boolean,
): void {
  const { origin, forwardedHost } = headers
  const host = headers.host ?? [headers[':authority']].flat()[0]
  if (origin === undefined || origin === 'null') {
    if (headers['sec-fetch-site'] === 'same-origin') return
    throw crossSiteError(
      origin === 'null'
        ? 'its Origin header is null and it has no Sec-Fetch-Site: same-origin (without https, pages need a Referrer-Policy other than no-referrer)'
        : 'it has neither an Origin header nor Sec-Fetch-Site: same-origin',
    )
  }
  const hosts = [...new Set([host, forwardedHost])].filter((one) => one !== undefined && one !== '')
  const url = parseOrigin(origin)
  if (origins.includes(url?.origin ?? origin) || hosts.some((one) => url && matchesHost(url, one!, isSecure)))
    return
  const seen = hosts.map((one) => shorten(one!)).join(' and ') || 'no host'
  const sent = isSecure ? `${seen} by https` : seen
  throw crossSiteError(
    `its Origin header is ${shorten(origin)}, and the request was sent to ${sent}. List other origins of your own in cors.origins, and a proxy that changes Host in listen.trustProxy (in a Fastify application: trustProxy)`,
  )
}

function shorten(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text
}

/**
 * Parses the value of `Origin`. Browsers leave out the default port, but other clients may write it (RFC 6454 §6.2).
 * Returns `undefined` for anything but an http or https origin.
 */
function parseOrigin(origin: string): URL | undefined {
  if (!URL.canParse(origin)) return undefined
  const url = new URL(origin)
  return url.origin === withoutDefaultPort(origin.toLowerCase(), url.protocol) ? url : undefined
}

function matchesHost({ protocol, host: originHost }: URL, host: string, isSecure: boolean): boolean {
  if (isSecure && protocol !== 'https:') return false
  return originHost === withoutDefaultPort(host.toLowerCase(), protocol)
}

function crossSiteError(objection: string): PortcullisError {
  return new PortcullisError('cross_site_request', {
    detail: `A request that changes something with a cookie must come from this origin, but ${objection}.`,
  })
}
