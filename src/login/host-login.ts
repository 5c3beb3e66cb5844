import type { LoginCredentials, LoginFunction } from '../config.js'
import { PortcullisError, rateLimited } from '../errors.js'
import type { Log } from '../logger.js'
import type { Identity } from '../session/session.js'

/** The Fastify request of a login, of which only the log is known here. */
export interface LoginHttpRequest {
  readonly log: Log
}

/** An error with a status, as Fastify, http-errors and most HTTP libraries throw it. */
interface HttpError {
  readonly statusCode?: unknown
  readonly status?: unknown
  readonly message?: unknown
  readonly headers?: Readonly<Record<string, unknown>> | undefined
  /** http-errors: false if clients must not see the message. */
  readonly expose?: unknown
}

/** Maximum length of a host's message in the response, in characters. */
const MAX_DETAIL = 500

/**
 * Calls the login function of the host, and converts an error with an HTTP status to ours. 401 means wrong credentials,
 * as `null` does.
 *
 * @throws {PortcullisError} `login_refused` for another 4xx, `rate_limited` for 429, `upstream_unavailable` for 502 and
 *   503, `upstream_timeout` for 504
 * @throws {TypeError} if the identity has an unknown field. Otherwise a misspelt `scope` would be dropped silently.
 * @throws the host's error if it has none of these status codes, or is another `PortcullisError`
 */
export async function callHostLogin(
  login: LoginFunction,
  credentials: LoginCredentials,
  request: LoginHttpRequest,
): Promise<Identity | null> {
  try {
    return checkFields(await login(credentials, request))
  } catch (error) {
    const status = statusOf(error)
    if (status === 401) return null
    if (status === undefined || error instanceof PortcullisError) throw error
    const { message, headers, expose } = error as HttpError
    if (status === 429) throw rateLimited(secondsOf(headers?.['retry-after']))
    if (status < 500) {
      const detail = typeof message === 'string' && expose !== false ? message.slice(0, MAX_DETAIL) : ''
      throw new PortcullisError('login_refused', {
        statusCode: status,
        ...(detail !== '' && { detail }),
        cause: error,
      })
    }
    request.log.warn({ event: 'login_unavailable', err: error, status }, 'the login function is unavailable')
    throw new PortcullisError(status === 504 ? 'upstream_timeout' : 'upstream_unavailable', {
      detail: 'Logins are not possible now. Try again later.',
      cause: error,
    })
  }
}

const FIELDS: Readonly<Record<keyof Identity, true>> = {
  sub: true,
  clientId: true,
  scope: true,
  claims: true,
}

function checkFields(identity: Identity | null): Identity | null {
  for (const [field, value] of Object.entries(identity ?? {})) {
    if (value === undefined || Object.hasOwn(FIELDS, field)) continue
    const known = Object.keys(FIELDS).join(', ')
    throw new TypeError(
      `login: the identity has the unknown field ${JSON.stringify(field)}; the fields are ${known}, and further claims belong into claims`,
    )
  }
  return identity
}

/** Returns the status of an error, or `undefined` if it has none that a login can have. */
function statusOf(error: unknown): number | undefined {
  const { statusCode, status } = (error ?? {}) as HttpError
  const found = statusCode ?? status
  const isKnown =
    typeof found === 'number' &&
    Number.isInteger(found) &&
    ((found >= 400 && found <= 499) || (found >= 502 && found <= 504))
  return isKnown ? found : undefined
}

function secondsOf(retryAfter: unknown): number {
  return /^\d{1,4}$/.test(String(retryAfter)) ? Math.max(1, Number(retryAfter)) : 1
}
