import type { FastifyRequest } from 'fastify'
import { PortcullisError } from '../../src/errors.js'
import { cookieNames, cookieValues } from '../../src/token/token-cookies.js'
import type { Core } from '../../src/app/core.js'

/**
 * Returns the refresh token from the cookie, or `undefined` without one.
 *
 * @throws {PortcullisError} `credentials_ambiguous` if the request has two refresh cookies
 */
export function refreshCookie(request: FastifyRequest, { settings }: Core): string | undefined {
  if (!settings.cookies.enabled) return undefined
  const [value, another] = cookieValues(request.headers.cookie, cookieNames(settings.cookies).refresh)
  if (another !== undefined) {
    throw new PortcullisError('credentials_ambiguous', { detail: 'There are two refresh cookies. Send one.' })
  }
  return value === '' ? undefined : value
}

/**
 * Returns the refresh token that a request presents, or `undefined` without one.
 *
 * @throws {PortcullisError} `credentials_ambiguous` if both the body and the cookie have one
 */
export function oneRefreshToken(
  fromBody: string | undefined,
  fromCookie: string | undefined,
): string | undefined {
  if (fromBody === undefined || fromCookie === undefined) return fromBody ?? fromCookie
  throw new PortcullisError('credentials_ambiguous', {
    detail: 'Send the refresh token in the body or in the cookie, not in both.',
  })
}
