import { PortcullisError } from '../errors.js'
import type { HostClaims, Session } from '../session/session.js'

/** What a session's tokens contain from now on. `undefined` leaves a value as it is, and an empty scope means none. */
export interface CheckedUser {
  readonly scope?: string | undefined
  readonly claims?: HostClaims | undefined
}

/**
 * Reads the user of a session again, before the session gets new tokens. Returns `null` if the session must end. If it
 * throws, the user is unknown for now, so nothing may change.
 *
 * @param request The Fastify request. `undefined` if the host itself refreshes the session.
 */
export type UserCheck = (session: Session, request?: unknown) => Promise<CheckedUser | null>

/**
 * Returns a check that runs several checks in order. Each one sees the scope and the claims that the previous one has
 * returned. The first `null` ends the session, and the remaining checks don't run.
 */
export function combineChecks(checks: readonly UserCheck[]): UserCheck | undefined {
  if (checks.length <= 1) return checks[0]
  return async (session, request) => {
    let checked: CheckedUser = {}
    for (const check of checks) {
      const { scope = session.scope, claims = session.claims } = checked
      const result = await check({ ...session, scope: scope === '' ? undefined : scope, claims }, request)
      if (result === null) return null
      checked = { scope: result.scope ?? checked.scope, claims: result.claims ?? checked.claims }
    }
    return checked
  }
}

/**
 * Creates the error for a user that can't be read now. It is a 503, so the client keeps its tokens and repeats the
 * refresh.
 *
 * @param reason For the log. It must not contain a secret.
 * @param retryAfter Seconds until the client should repeat the request. Default: 1.
 */
export function userUnavailable(
  reason: string,
  { cause, retryAfter = 1 }: { cause?: unknown; retryAfter?: number | undefined } = {},
): PortcullisError {
  return new PortcullisError('store_unavailable', {
    detail: 'The user of this session can’t be read now. Repeat the request after the delay in Retry-After.',
    reason,
    cause,
    headers: { 'retry-after': String(retryAfter) },
  })
}
