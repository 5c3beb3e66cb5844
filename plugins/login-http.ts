import type { FastifyBaseLogger, FastifyRequest } from 'fastify'
import { Pool, errors } from 'undici'
import type { Dispatcher } from 'undici'
import type { LoginCredentials, PluginSettings } from '../src/config.js'
import { PortcullisError } from '../src/errors.js'
import { rateLimited } from '../src/session/login.js'
import { mapIdentity } from '../src/login/identity-mapping.js'
import type { Identity } from '../src/session/session.js'
import { clientAddress } from './client-address.js'
import { createSampler } from './sample.js'

type Login = Exclude<PluginSettings['login'], (...args: never[]) => unknown>
type LoginHttp = NonNullable<Login['http']>

/** Largest answer that is read, in bytes. */
const MAX_ANSWER = 65_536
/** By these an API says that name or password is wrong. */
const WRONG = new Set([400, 401, 403, 404, 422])
/** The longest wait that is believed, in seconds. */
const MAX_RETRY_AFTER = 3_600

/**
 * Asks a legacy API who may log in (`login.http`), and maps its answer. Redirects aren't followed, as the password
 * would go along. Of the client it is told the address alone.
 *
 * The function that it gives rejects with a PortcullisError: `rate_limited`, `upstream_unavailable`, `upstream_timeout`.
 *
 * @param connections How many logins it is asked about at once.
 */
export function createHttpLogin(settings: LoginHttp, connections: number, log: FastifyBaseLogger) {
  const { origin, pathname, search } = new URL(settings.url)
  const api = new Pool(origin, {
    connections,
    maxResponseSize: MAX_ANSWER,
    // One clock for all of it: the signal below.
    connect: { timeout: settings.timeout },
    headersTimeout: 0,
    bodyTimeout: 0,
  })
  const sample = createSampler()
  const fail = (code: 'upstream_unavailable' | 'upstream_timeout', reason: string): never => {
    sample(() => log.warn({ event: 'login_http_failed', reason }, 'the API for logins gave no usable answer'))
    throw new PortcullisError(code, { detail: 'Logins are not possible now; try again later.', reason })
  }

  const ask = async (credentials: LoginCredentials, ip: string): Promise<LegacyResponse> => {
    try {
      const { statusCode, headers, body } = await api.request({
        ...buildRequest(settings, credentials, ip),
        method: 'POST',
        path: pathname + search,
        // A kept connection may close just as it is used, and a login must not be sent twice.
        reset: true,
        signal: AbortSignal.timeout(settings.timeout),
      })
      const isRead = isSuccess(statusCode)
      // What else it has to say concerns nobody, however long it is.
      if (!isRead) body.on('error', () => {}).destroy()
      return { status: statusCode, retryAfter: headers['retry-after'], text: isRead ? await body.text() : '' }
    } catch (error) {
      const isLate = error instanceof errors.ConnectTimeoutError || (error as Error).name === 'TimeoutError'
      return fail(isLate ? 'upstream_timeout' : 'upstream_unavailable', errorCode(error))
    }
  }

  return async (credentials: LoginCredentials, request: FastifyRequest): Promise<Identity | null> => {
    const { status, retryAfter, text } = await ask(credentials, clientAddress(request))
    if (WRONG.has(status)) return null
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
      // For its own limits and its log: the address that ours go by.
      ...(ip !== '' && { 'x-forwarded-for': ip }),
    },
    body: isForm ? new URLSearchParams(fields).toString() : JSON.stringify(fields),
  }
}

/** Undefined for what isn't JSON, and for null, which says as little. */
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

/** An error's code names no host and quotes nothing of an answer; its message might. */
function errorCode(error: unknown): string {
  const { code, name } = error as NodeJS.ErrnoException
  return typeof code === 'string' ? code : name
}
