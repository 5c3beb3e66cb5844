import type { LoginCredentials } from '../config.js'
import type { AuthenticatedIdentity, Session } from '../session/session.js'
import type { LoginHttpRequest } from './host-login.js'
import type { WorkSlots } from './work-slots.js'

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
  ): AuthenticatedIdentity | null | Promise<AuthenticatedIdentity | null>
  /**
   * Returns true if the password has changed, or the user was removed, since a session was started. `undefined` if that
   * isn't known.
   */
  readonly isOutdated?: ((session: Session) => boolean) | undefined
}
