/** A login with a username and a password: `POST /auth/login`, and `app.portcullis.login`. */
import type { FastifyRequest } from 'fastify'
import type { Core } from '../src/app/core.js'
import type { LoginCredentials } from '../src/config.js'
import { MAX_DEVICE_LENGTH, MAX_PASSWORD_LENGTH, MAX_USERNAME_LENGTH } from '../src/contract.js'
import { PortcullisError } from '../src/errors.js'
import type { Authenticator } from '../src/login/authenticator.js'
import type { IssueOptions, TokenSet } from '../src/session/issue.js'
import type { ClientInfo } from '../src/session/session.js'
import type { Sessions } from '../src/session/sessions.js'
import { countedAddress } from './client-address.js'
import { createAttempts } from './login-attempts.js'
import { readClientInfo } from './routes/origin.js'

/** The credentials of a login, and the user's name for the device (at most 64 characters). */
export type DeviceCredentials = LoginCredentials & Pick<ClientInfo, 'device'>

/**
 * Verifies credentials within the limits of a login, and starts a session.
 *
 * @param sessions The sessions of the core, as the caller wants them (with checks of cookies).
 * @throws {PortcullisError} as `POST /auth/login`
 */
export async function logIn(
  core: Core,
  sessions: Sessions,
  { slots, authenticate, isOutdated }: Authenticator,
  { username, password, device }: DeviceCredentials,
  request: FastifyRequest,
  options?: IssueOptions,
): Promise<TokenSet> {
  // Must never reach a login function: an LDAP bind with an empty password is anonymous, and succeeds (RFC 4513 §5.1.2).
  if (username === '' || password === '') throw new PortcullisError('invalid_credentials')
  const address = countedAddress(request)
  const attempt = {
    slots,
    isOutdated,
    attempts: createAttempts(core, username, address),
    authenticate: async () => authenticate({ username, password }, address ?? '', request),
  }
  return sessions.forRequest(request.id).login(attempt, { ...readClientInfo(request), device }, options)
}

/**
 * Checks credentials that the application passes on, as the schema of a request body does.
 *
 * @throws {PortcullisError} `invalid_request`
 */
export function checkCredentials(credentials: DeviceCredentials): DeviceCredentials {
  const { username, password, device } = credentials ?? {}
  requireText('username', username, MAX_USERNAME_LENGTH)
  requireText('password', password, MAX_PASSWORD_LENGTH)
  if (device !== undefined) requireText('device', device, MAX_DEVICE_LENGTH)
  return { username, password, device }
}

function requireText(name: string, value: unknown, maximum: number): void {
  if (typeof value === 'string' && value.length <= maximum) return
  throw new PortcullisError('invalid_request', {
    detail: `${name}: must be a text of at most ${maximum} characters.`,
  })
}
