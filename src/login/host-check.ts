import type { RefreshFunction, UserUpdate } from '../config.js'
import type { Log } from '../logger.js'
import { createSampler } from '../sample.js'
import type { HostClaims } from '../session/session.js'
import { userUnavailable } from './user-check.js'
import type { UserCheck } from './user-check.js'

/**
 * Creates the check that calls `onRefresh` of the host. Only `null` ends a session. Any error means that the user is
 * unknown for now, even if it has a status such as 401 or 404: that may be the status of a request which the function
 * itself has made.
 *
 * The result is checked at run time, because a host in plain JavaScript has no type checks. A result of another shape
 * is an error of the host, so it changes nothing. For example, a function that forgets to return anything must neither
 * end all sessions nor keep removed users.
 *
 * @param log Gets `refresh_check_failed`, at most once per second.
 */
export function createHostCheck(onRefresh: RefreshFunction, log: Log): UserCheck {
  const sample = createSampler()
  return async ({ sub, sid, scope, claims }, request) => {
    let result: UserUpdate | null
    try {
      // A copy, because the memory store would otherwise hand out the claims that it keeps.
      result = await onRefresh({ sub, sid, scope, claims: structuredClone(claims) }, request)
    } catch (error) {
      sample(() =>
        log.warn({ event: 'refresh_check_failed', reason: 'error', err: error }, 'onRefresh threw an error'),
      )
      throw userUnavailable('onRefresh threw an error', { cause: error })
    }
    if (result === null) return null
    const update = parseUpdate(result)
    if (typeof update === 'object') return update
    sample(() =>
      log.error({ event: 'refresh_check_failed', reason: update }, `onRefresh returned an invalid result`),
    )
    throw userUnavailable(`onRefresh: ${update}`)
  }
}

/** Returns the update with a copy of its claims, or the mistake in it. */
function parseUpdate(result: unknown): UserUpdate | string {
  if (!isObject(result)) return 'the result is neither an object nor null'
  const { scope, claims } = result
  if (scope !== undefined && typeof scope !== 'string') return 'scope is not text'
  if (claims === undefined) return { scope }
  const copy = isObject(claims) ? copyJson(claims) : undefined
  return copy === undefined ? 'claims is not an object of JSON values' : { scope, claims: copy }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Returns a copy as JSON, or `undefined` if the value has no form in JSON, such as a big integer or a cycle. */
function copyJson(value: object): HostClaims | undefined {
  try {
    const copy: unknown = JSON.parse(JSON.stringify(value))
    return isObject(copy) ? copy : undefined
  } catch {
    return undefined
  }
}
