import type { IncomingMessage } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Admission, RequestFacts } from '../src/token/admission.js'
import { isHandshake } from '../src/token/csrf.js'
import type { BrowserHeaders } from '../src/token/csrf.js'
import { countedAddress } from './client-address.js'
import { createSampler } from '../src/sample.js'
import { renewWithResponse } from './renewed-tokens.js'

/** The facts of a Fastify request that admission needs. Getters read them on demand, because most aren't needed. */
export class FastifyRequestFacts implements RequestFacts {
  readonly #request: FastifyRequest

  constructor(request: FastifyRequest) {
    this.#request = request
  }

  get method(): string {
    return this.#request.method
  }

  /** Prefers `originalUrl`, because `rewriteUrl` may have removed a token from `raw.url`. */
  get target(): string {
    const { originalUrl, url } = this.#request.raw as { originalUrl?: string; url?: string }
    return originalUrl ?? url ?? ''
  }

  get rawHeaders(): readonly string[] {
    return rawHeadersOf(this.#request.raw)
  }

  get headers(): BrowserHeaders {
    return readBrowserHeaders(this.#request)
  }

  get body(): unknown {
    return this.#request.body
  }

  get address(): string | undefined {
    return countedAddress(this.#request)
  }

  /** Returns true if TLS ends here, or at a trusted proxy. */
  get isSecure(): boolean {
    return this.#request.protocol === 'https'
  }

  get isUpgrade(): boolean {
    return isHandshake(this.#request.headers)
  }
}

/** Returns the headers that show where a request comes from, with the host that a trusted proxy reports. */
export function readBrowserHeaders({ headers, host }: FastifyRequest): BrowserHeaders {
  return {
    origin: headers.origin,
    host: headers.host,
    ':authority': headers[':authority'],
    forwardedHost: host,
    'sec-fetch-site': headers['sec-fetch-site'],
  }
}

/**
 * Returns the names and values of the headers alternately. A request that no connection has brought may have only parsed
 * headers, such as one of `app.injectWS` (@fastify/websocket).
 */
function rawHeadersOf({ rawHeaders, headers }: IncomingMessage): readonly string[] {
  if ((rawHeaders as string[] | undefined) !== undefined) return rawHeaders
  return Object.entries(headers).flatMap(([name, value]) =>
    [value ?? []].flat().flatMap((one) => [name, String(one)]),
  )
}

const sample = createSampler()

/** Adds response headers that depend on how a request was admitted. Logs a sample of admissions without a lease. */
export function reportAdmission(
  { auth, transport, outage, clearedCookies, renewed }: Admission,
  reply: FastifyReply,
): void {
  // RFC 6750 §2.3: keep the response to a request with a token in its URL out of caches.
  if (transport === 'query') reply.header('cache-control', 'private, no-store')
  if (clearedCookies !== undefined) reply.header('set-cookie', clearedCookies)
  if (renewed !== undefined) renewWithResponse(reply, renewed)
  if (outage === undefined) return
  reply.header('x-portcullis-outage', outage)
  const { sub, sid } = auth!
  sample(() =>
    reply.log.warn(
      { event: 'admitted_in_outage', outage, sub, sid },
      'requests are admitted without a lease, because of onOutage (logged at most once per second)',
    ),
  )
}
