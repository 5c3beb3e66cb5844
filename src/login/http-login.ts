import type { Log } from '../logger.js'
import { Pool, errors } from 'undici'
import type { Dispatcher } from 'undici'
import type { LoginCredentials, PluginSettings } from '../config.js'
import { PortcullisError, rateLimited } from '../errors.js'
import { mapIdentity } from './identity-mapping.js'
import type { Identity } from '../session/session.js'
import { createSampler } from '../sample.js'
import { explainTlsFailure } from '../tls-failure.js'
import type { TlsAdvice } from '../tls-failure.js'

type Login = Exclude<PluginSettings['login'], (...args: never[]) => unknown>
type LoginHttp = NonNullable<Login['http']>

const TLS_ADVICE: TlsAdvice = {
  ca: 'start Node with NODE_EXTRA_CA_CERTS=FILE, the file of its CA',
  name: 'write that name in the URL',
  cert: 'logins send none',
  plain: 'write http:// in the URL',
}

/** Largest response body, in bytes. */
const MAX_RESPONSE = 65_536
/** Status codes that mean wrong credentials. */
const WRONG_CREDENTIALS = new Set([400, 401, 403, 404, 422])
/** Upper limit for a `Retry-After` of the API, in seconds. */
const MAX_RETRY_AFTER = 3_600

/**
 * Creates a login function that sends the credentials to a legacy API (`login.http`) and maps its response to an
 * identity. The API receives only the address of the client. Redirects aren't followed, because the password would be
 * sent to another server.
 *
 * The login function rejects with a `PortcullisError`: `rate_limited`, `upstream_unavailable` or `upstream_timeout`.
 *
 * @param connections Maximum number of concurrent requests to the API.
 */
export function createHttpLogin(settings: LoginHttp, connections: number, log: Log) {
  const { origin, pathname, search } = new URL(settings.url)
  const api = new Pool(origin, {
    connections,
    maxResponseSize: MAX_RESPONSE,
    // The signal below limits the time of the whole request, so undici's timeouts are off.
    connect: { timeout: settings.timeout },
    headersTimeout: 0,
    bodyTimeout: 0,
  })
  const sample = createSampler()
  const fail = (code: 'upstream_unavailable' | 'upstream_timeout', reason: string): never => {
    const tls = explainTlsFailure(reason, TLS_ADVICE)
    const message = tls && `login.http.url: there is no TLS connection to the login API: ${tls}`
    sample(() =>
      log.warn({ event: 'login_http_failed', reason }, message ?? 'the login API gave no usable response'),
    )
    throw new PortcullisError(code, { detail: 'Logins are not possible now. Try again later.', reason })
  }

  const requestLogin = async (credentials: LoginCredentials, ip: string): Promise<LegacyResponse> => {
    try {
      const { statusCode, headers, body } = await api.request({
        ...buildRequest(settings, credentials, ip),
        method: 'POST',
        path: pathname + search,
        // A reused connection may close during the request, and then it would be unclear whether to repeat the login.
        reset: true,
        signal: AbortSignal.timeout(settings.timeout),
      })
      const isRead = isSuccess(statusCode)
      // The body of an error response isn't used. Destroying it also bounds its length.
      if (!isRead) body.on('error', () => {}).destroy()
      return { status: statusCode, retryAfter: headers['retry-after'], text: isRead ? await body.text() : '' }
    } catch (error) {
      const isLate = error instanceof errors.ConnectTimeoutError || (error as Error).name === 'TimeoutError'
      return fail(isLate ? 'upstream_timeout' : 'upstream_unavailable', errorCode(error))
    }
  }

  return async (credentials: LoginCredentials, ip: string): Promise<Identity | null> => {
    const { status, retryAfter, text } = await requestLogin(credentials, ip)
    if (WRONG_CREDENTIALS.has(status)) return null
    if (status === 429) throw rateLimited(parseRetryAfter(retryAfter))
    if (!isSuccess(status)) return fail('upstream_unavailable', `status_${status}`)
    const mapped = mapIdentity(parse(text) ?? fail('upstream_unavailable', 'not_json'), settings)
    if (mapped.kind === 'somebody') return mapped.identity
    return mapped.kind === 'nobody' ? null : fail('upstream_unavailable', mapped.reason)
  }
}

interface LegacyResponse {
  readonly status: number
  readonly retryAfter: string | string[] | undefined
  readonly text: string
}

function isSuccess(status: number): boolean {
  return status >= 200 && status <= 299
}

function buildRequest(
  { body, username, password }: LoginHttp,
  credentials: LoginCredentials,
  ip: string,
): Pick<Dispatcher.RequestOptions, 'headers' | 'body'> {
  const fields = { [username]: credentials.username, [password]: credentials.password }
  const isForm = body === 'form'
  return {
    headers: {
      accept: 'application/json',
      'content-type': isForm ? 'application/x-www-form-urlencoded' : 'application/json',
      'user-agent': 'portcullis',
      // The address that our rate limits use, for the limits and the log of the API.
      ...(ip !== '' && { 'x-forwarded-for': ip }),
    },
    body: isForm ? new URLSearchParams(fields).toString() : JSON.stringify(fields),
  }
}

/** Returns `undefined` if the text is not JSON, or is `null`. */
function parse(text: string): object | string | number | boolean | undefined {
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

/** Returns the code of an error for the log. The message could contain a host name or parts of a response. */
function errorCode(error: unknown): string {
  const { code, name } = error as NodeJS.ErrnoException
  return typeof code === 'string' ? code : name
}
