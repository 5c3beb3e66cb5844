import { PortcullisError } from '../errors.js'
import type { Log } from '../logger.js'
import { createSampler } from '../sample.js'
import type { LoginHttp } from './http-login.js'
import { mapUpdate } from './identity-mapping.js'
import { LegacyApi, LegacyApiError, explainFailure, isSuccess } from './legacy-api.js'
import type { LegacyResponse } from './legacy-api.js'
import { userUnavailable } from './user-check.js'
import type { CheckedUser, UserCheck } from './user-check.js'

/** Status codes that end the session of the user. */
const GONE = new Set([401, 403, 404, 410])
/** Maximum number of requests that run or wait. More are refused, so that a slow API can't fill the memory. */
const MAX_REQUESTS = 1_000

/** Reads users from a legacy API. */
export interface HttpCheck {
  readonly check: UserCheck
  close(): Promise<void>
}

/**
 * Creates the check that sends `sub` and `sid` of a session to a legacy API (`login.http.refresh`), in the same format
 * as a login. Neither is a secret. The API gets nothing else from the request.
 *
 * @param connections Maximum number of concurrent requests to the API.
 * @param log Gets `refresh_check_failed`, at most once per second, with nothing from the response.
 */
export function createHttpCheck(settings: LoginHttp, url: string, connections: number, log: Log): HttpCheck {
  const api = new LegacyApi({ ...settings, url }, connections)
  const sample = createSampler()
  const fail = (reason: string, retryAfter?: number): never => {
    sample(() =>
      log.warn({ event: 'refresh_check_failed', reason }, explainFailure('login.http.refresh', reason)),
    )
    throw userUnavailable(`login.http.refresh: ${reason}`, { retryAfter })
  }
  let requests = 0
  const post = async (fields: Readonly<Record<string, string>>): Promise<LegacyResponse> => {
    if (requests >= MAX_REQUESTS) {
      throw new PortcullisError('overloaded', {
        detail: 'Too many refreshes are waiting. Try again in a few seconds.',
      })
    }
    requests += 1
    try {
      return await api.post(fields)
    } catch (error) {
      if (!(error instanceof LegacyApiError)) throw error
      return fail(error.message)
    } finally {
      requests -= 1
    }
  }
  return {
    async check({ sub, sid }): Promise<CheckedUser | null> {
      const { status, retryAfter, json } = await post({ sub, sid })
      if (GONE.has(status)) return null
      if (!isSuccess(status)) return fail(`status_${status}`, status === 429 ? retryAfter : undefined)
      const mapped = mapUpdate(json ?? fail('not_json'), sub, settings)
      return mapped.kind === 'update' ? mapped.update : fail(mapped.reason)
    },
    close: () => api.close(),
  }
}
