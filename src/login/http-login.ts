import type { LoginCredentials, PluginSettings } from '../config.js'
import { PortcullisError, rateLimited } from '../errors.js'
import type { Log } from '../logger.js'
import { createSampler } from '../sample.js'
import type { Identity } from '../session/session.js'
import { mapIdentity } from './identity-mapping.js'
import { LegacyApi, LegacyApiError, explainFailure, isSuccess } from './legacy-api.js'

type Login = Exclude<PluginSettings['login'], (...args: never[]) => unknown>
/** The parsed settings of `login.http`. */
export type LoginHttp = NonNullable<Login['http']>

/** Status codes that mean wrong credentials. */
const WRONG_CREDENTIALS = new Set([400, 401, 403, 404, 422])

/** Verifies credentials with a legacy API. */
export interface HttpLogin {
  /** @throws {PortcullisError} `rate_limited`, `upstream_unavailable` or `upstream_timeout` */
  authenticate(credentials: LoginCredentials, ip: string): Promise<Identity | null>
  close(): Promise<void>
}

/**
 * Creates a login that sends the credentials to a legacy API (`login.http`) and maps its response to an identity. The
 * API receives only the address of the client.
 *
 * @param connections Maximum number of concurrent requests to the API.
 */
export function createHttpLogin(settings: LoginHttp, connections: number, log: Log): HttpLogin {
  const api = new LegacyApi(settings, connections)
  const sample = createSampler()
  const fail = (code: 'upstream_unavailable' | 'upstream_timeout', reason: string): never => {
    sample(() => log.warn({ event: 'login_http_failed', reason }, explainFailure('login.http.url', reason)))
    throw new PortcullisError(code, { detail: 'Logins are not possible now. Try again later.', reason })
  }
  return {
    async authenticate({ username, password }, ip) {
      const fields = { [settings.username]: username, [settings.password]: password }
      // The address that our rate limits use, for the limits and the log of the API.
      const headers: Record<string, string> = ip === '' ? {} : { 'x-forwarded-for': ip }
      const response = await api.post(fields, headers).catch((error: unknown) => {
        if (!(error instanceof LegacyApiError)) throw error
        return fail(error.isLate ? 'upstream_timeout' : 'upstream_unavailable', error.message)
      })
      const { status, retryAfter, json } = response
      if (WRONG_CREDENTIALS.has(status)) return null
      if (status === 429) throw rateLimited(retryAfter)
      if (!isSuccess(status)) return fail('upstream_unavailable', `status_${status}`)
      const mapped = mapIdentity(json ?? fail('upstream_unavailable', 'not_json'), settings)
      if (mapped.kind === 'somebody') return mapped.identity
      return mapped.kind === 'nobody' ? null : fail('upstream_unavailable', mapped.reason)
    },
    close: () => api.close(),
  }
}
