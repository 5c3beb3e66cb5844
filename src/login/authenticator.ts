import type { Log } from '../logger.js'
import type { LoginCredentials, PluginSettings } from '../config.js'
import { findReplaceWarnings, findTrustWarnings } from '../file-trust.js'
import type { Identity } from '../session/session.js'
import { WorkSlots } from './work-slots.js'
import { UsersFile, hashingSlots } from './users-file.js'
import { callHostLogin } from './host-login.js'
import type { LoginHttpRequest } from './host-login.js'
import { createHttpLogin } from './http-login.js'

/** The way in which credentials are verified: a users file, a legacy API, or a function of the host. */
export interface Authenticator {
  /** Bounds the concurrent calls of `authenticate`. */
  readonly slots: WorkSlots
  /**
   * Returns the identity of the user, or `null` if the credentials are wrong.
   *
   * @param ip The client's address. Empty if it is unknown.
   * @param request The Fastify request, which a function of the host receives.
   */
  authenticate(
    credentials: LoginCredentials,
    ip: string,
    request: LoginHttpRequest,
  ): Identity | null | Promise<Identity | null>
}

/** Logins that may wait for a slot. Further logins are refused. */
const MAX_QUEUED = 100
/** Concurrent logins by a host's function or a legacy API. They mostly wait for I/O, unlike password hashing. */
const WAITING_SLOTS = 32

/**
 * Creates the authenticator that `POST /auth/login` uses.
 *
 * @param processes Processes on this machine that hash passwords. They share its cores.
 * @returns `undefined` if `login` isn't set. Then there is no login route, and the host calls `issue` itself.
 * @throws {UsersFileError} if the users file can't be read or has an invalid line
 */
export async function createAuthenticator(
  login: PluginSettings['login'],
  log: Log,
  processes: number,
): Promise<Authenticator | undefined> {
  if (typeof login === 'function') {
    return {
      slots: new WorkSlots(WAITING_SLOTS, MAX_QUEUED),
      authenticate: (credentials, _ip, request) => callHostLogin(login, credentials, request),
    }
  }
  if (login.http !== undefined) {
    return {
      slots: new WorkSlots(WAITING_SLOTS, MAX_QUEUED),
      authenticate: createHttpLogin(login.http, WAITING_SLOTS, log),
    }
  }
  if (login.users === undefined) return undefined
  const users = await UsersFile.open(login.users, (reason) =>
    log.error({ event: 'users_file', reason }, reason),
  )
  const warnings = [
    ...(await findTrustWarnings(login.users, 'the users file', false)),
    ...(await findReplaceWarnings(login.users, 'the users file')),
  ]
  for (const warning of warnings) log.warn({ event: 'users_file_warning' }, warning)
  return {
    slots: new WorkSlots(hashingSlots(processes), MAX_QUEUED),
    async authenticate({ username, password }) {
      const user = await users.verify(username, password)
      return user === undefined ? null : { sub: user.name, scope: user.scope }
    },
  }
}
