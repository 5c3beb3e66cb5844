import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Admission, RequestFacts } from '../src/token/admission.js'
import type { BrowserHeaders } from '../src/token/csrf.js'
import { clientAddress } from './client-address.js'
import { createSampler } from './sample.js'

/** A Fastify request as admission reads it. Its getters read lazily, as this is built for every guarded request. */
export class FastifyRequestFacts implements RequestFacts {
  readonly #request: FastifyRequest

  constructor(request: FastifyRequest) {
    this.#request = request
  }

  get method(): string {
    return this.#request.method
  }

  /** Fastify's `rewriteUrl` may have taken the token out of `raw.url`. */
  get target(): string {
    const { originalUrl, url } = this.#request.raw as { originalUrl?: string; url?: string }
    return originalUrl ?? url ?? ''
  }

  get rawHeaders(): readonly string[] {
    return this.#request.raw.rawHeaders
  }

  get headers(): BrowserHeaders {
    return this.#request.headers
  }

  get body(): unknown {
    return this.#request.body
  }

  get address(): string {
    return clientAddress(this.#request)
  }

  /** RFC 6455 §4.1. */
  get isUpgrade(): boolean {
    return this.#request.headers.upgrade?.toLowerCase().includes('websocket') ?? false
  }
}

const sample = createSampler()

/** Reports in the response, and now and then in the log, how a request was admitted. */
export function reportAdmission({ auth, transport, outage }: Admission, reply: FastifyReply): void {
  // RFC 6750 §2.3: a response to a request with the token in its URL must not be stored.
  if (transport === 'query') reply.header('cache-control', 'private, no-store')
  if (outage === undefined) return
  reply.header('x-portcullis-outage', outage)
  const { sub, sid } = auth!
  sample(() =>
    reply.log.warn(
      { event: 'admitted_in_outage', outage, sub, sid },
      'admitted without a lease, as other requests may be (a sample: at most one line a second)',
    ),
  )
}
