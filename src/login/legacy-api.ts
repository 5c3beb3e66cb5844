import { Pool, errors } from 'undici'
import type { Milliseconds } from '../clock.js'
import { explainTlsFailure } from '../tls-failure.js'
import type { TlsAdvice } from '../tls-failure.js'

const TLS_ADVICE: TlsAdvice = {
  ca: 'start Node with NODE_EXTRA_CA_CERTS=FILE, the file of its CA',
  name: 'write that name in the URL',
  cert: 'logins send none',
  plain: 'write http:// in the URL',
}

/** Largest response body, in bytes. */
const MAX_RESPONSE = 65_536
/** Upper limit for a `Retry-After` of the API, in seconds. */
const MAX_RETRY_AFTER = 3_600

/** How requests to a legacy API are sent. */
export interface LegacyApiSettings {
  readonly url: string
  readonly body: 'json' | 'form'
  /** Maximum time until the whole response has arrived. */
  readonly timeout: Milliseconds
}

/** A response of a legacy API. */
export interface LegacyResponse {
  readonly status: number
  /** Seconds from `Retry-After`, from 1 to 3,600. 1 if the response has no number of seconds. */
  readonly retryAfter: number
  /** The parsed body of a 2xx. `undefined` if it isn't JSON, if it is `null`, or for another status. */
  readonly json: unknown
}

/** A request to a legacy API that got no complete response. */
export class LegacyApiError extends Error {
  override readonly name = 'LegacyApiError'
  /** True if the time was up. */
  readonly isLate: boolean

  /** @param code A code for the log. A message could contain a host name or parts of a response. */
  constructor(code: string, isLate: boolean, cause: unknown) {
    super(code, { cause })
    this.isLate = isLate
  }
}

/** One URL of a legacy API. Redirects aren't followed, because the fields would be sent to another server. */
export class LegacyApi {
  readonly #settings: LegacyApiSettings
  readonly #target: string
  readonly #pool: Pool

  /** @param connections Maximum number of concurrent requests. Further requests wait, within their timeout. */
  constructor(settings: LegacyApiSettings, connections: number) {
    const { origin, pathname, search } = new URL(settings.url)
    this.#settings = settings
    this.#target = pathname + search
    this.#pool = new Pool(origin, {
      connections,
      maxResponseSize: MAX_RESPONSE,
      // The signal below limits the time of the whole request, so undici's timeouts are off.
      connect: { timeout: settings.timeout },
      headersTimeout: 0,
      bodyTimeout: 0,
    })
  }

  /**
   * Sends the fields by POST.
   *
   * @throws {LegacyApiError}
   */
  async post(
    fields: Readonly<Record<string, string>>,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<LegacyResponse> {
    const isForm = this.#settings.body === 'form'
    try {
      const response = await this.#pool.request({
        headers: {
          accept: 'application/json',
          'content-type': isForm ? 'application/x-www-form-urlencoded' : 'application/json',
          'user-agent': 'portcullis',
          ...headers,
        },
        body: isForm ? new URLSearchParams(fields).toString() : JSON.stringify(fields),
        method: 'POST',
        path: this.#target,
        // A reused connection may close during the request, and then it would be unclear whether to repeat it.
        reset: true,
        signal: AbortSignal.timeout(this.#settings.timeout),
      })
      const { statusCode: status, body } = response
      const retryAfter = parseRetryAfter(response.headers['retry-after'])
      if (isSuccess(status)) return { status, retryAfter, json: parseJson(await body.text()) }
      // The body of an error response isn't used. Destroying it also bounds its length.
      body.on('error', () => {}).destroy()
      return { status, retryAfter, json: undefined }
    } catch (error) {
      const { code, name } = error as NodeJS.ErrnoException
      const isLate = error instanceof errors.ConnectTimeoutError || name === 'TimeoutError'
      throw new LegacyApiError(typeof code === 'string' ? code : name, isLate, error)
    }
  }

  /** Closes all connections. Open requests fail. */
  async close(): Promise<void> {
    await this.#pool.destroy()
  }
}

/**
 * Returns a message for the log about a request without a usable response.
 *
 * @param setting The setting that has the URL.
 */
export function explainFailure(setting: string, reason: string): string {
  const tls = explainTlsFailure(reason, TLS_ADVICE)
  return tls === undefined
    ? 'the login API gave no usable response'
    : `${setting}: there is no TLS connection to the login API: ${tls}`
}

/** Returns true for a 2xx. */
export function isSuccess(status: number): boolean {
  return status >= 200 && status <= 299
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) ?? undefined
  } catch {
    return undefined
  }
}

function parseRetryAfter(retryAfter: string | string[] | undefined): number {
  const seconds = /^\d{1,9}$/.test(String(retryAfter)) ? Number(retryAfter) : 1
  return Math.min(Math.max(seconds, 1), MAX_RETRY_AFTER)
}
