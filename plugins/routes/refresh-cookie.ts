import type { FastifyRequest } from 'fastify'
import { PortcullisError } from '../../src/errors.js'
import { cookieNames, cookieValues } from '../../src/token/token-cookies.js'
import type { Core } from '../core.js'

/**
 * The refresh token of the cookie, or undefined.
 *
 * @throws {PortcullisError} `credentials_ambiguous` for two of them
 */
export function refreshCookie(request: FastifyRequest, { settings }: Core): string | undefined {
  if (!settings.cookies.enabled) return undefined
  const [value, another] = cookieValues(request.headers.cookie, cookieNames(settings.cookies).refresh)
  if (another !== undefined) {
    throw new PortcullisError('credentials_ambiguous', { detail: 'There are two refresh cookies.' })
  }
  return value === '' ? undefined : value
}

/**
 * The refresh token that a request presents; undefined: none.
 *
 * @throws {PortcullisError} `credentials_ambiguous` for two
 */
export function oneRefreshToken(
  fromBody: string | undefined,
  fromCookie: string | undefined,
): string | undefined {
  if (fromBody === undefined || fromCookie === undefined) return fromBody ?? fromCookie
  throw new PortcullisError('credentials_ambiguous', {
    detail: 'Present the refresh token in the body or in the cookie, not in both.',
  })
}
