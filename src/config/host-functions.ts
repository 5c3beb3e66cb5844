/** Functions of a host application that Portcullis calls. */
import type { HostClaims, Identity } from '../session/session.js'

export interface LoginCredentials {
  readonly username: string
  readonly password: string
}

/** A login of the host application. It returns the identity, or `null` if the credentials are wrong. */
export type LoginFunction<Request = unknown> = (
  credentials: LoginCredentials,
  request: Request,
) => Identity | null | Promise<Identity | null>

/** The session that is refreshed, as `onRefresh` receives it. `claims` is a copy. */
export interface RefreshedSession {
  readonly sub: string
  readonly sid: string
  readonly scope: string | undefined
  readonly claims: HostClaims
}

/** What the tokens of a session contain from now on. `undefined` leaves a value as it is. */
export interface UserUpdate {
  /** Scopes, separated by spaces. An empty text means none. */
  readonly scope?: string | undefined
  /** Replaces all claims of the host. */
  readonly claims?: HostClaims | undefined
}

/**
 * Reads the user of a session again. It returns what has changed, or `null` to end the session. If it throws, the
 * refresh fails with 503 and nothing changes.
 *
 * @param request The request of the refresh. `undefined` if the host itself refreshes the session.
 */
export type RefreshFunction<Request = unknown> = (
  session: RefreshedSession,
  request?: Request,
) => UserUpdate | null | Promise<UserUpdate | null>
