import type { Milliseconds } from '../clock.js'
import { withinDeadline } from '../deadline.js'
import { PortcullisError, storeUnavailable } from '../errors.js'
import type { SessionDependencies } from './dependencies.js'
import { endWithStarted } from './started-by.js'
import type { HostClaims, Session } from './session.js'

/**
 * Reads the user of a session again. Returns the scope and the claims that the session has from now on (`undefined`:
 * unchanged), or `null` to end the session. If it throws, the exchange fails with 503 and nothing changes.
 *
 * @param request The Fastify request, if the exchange came with one.
 */
export type RefreshCheck = (session: Session, request?: unknown) => Promise<RefreshedIdentity | null>

export interface RefreshedIdentity {
  readonly scope?: string | undefined
  readonly claims?: HostClaims | undefined
}

/**
 * Maximum time for reading the user. A function of the host may never settle. It is shorter than the default of
 * `tokens.reuseGrace`: of two instances that check the same token, the slower one must present it within the grace of the
 * other's rotation.
 */
export const CHECK_PATIENCE: Milliseconds = 8_000

/** Runs the check once for all concurrent exchanges of one token. */
export class RefreshChecks {
  readonly #check: RefreshCheck
  /** By the hash of the token. An entry stays until the exchange is done. */
  readonly #running = new Map<string, Promise<RefreshedIdentity | null>>()

  constructor(check: RefreshCheck) {
    this.#check = check
  }

  /**
   * Reads the user of a session, and passes the result to `exchange`. Concurrent calls for the same token share one
   * result.
   *
   * @throws {PortcullisError} `store_unavailable` if the user can't be read; errors of `exchange`
   */
  async run<T>(
    session: Session,
    secretHash: string,
    request: unknown,
    exchange: (identity: RefreshedIdentity | null) => Promise<T>,
  ): Promise<T> {
    const shared = this.#running.get(secretHash)
    if (shared !== undefined) return exchange(await shared)
    const read = withinDeadline(this.#read(session, request), CHECK_PATIENCE, 'the check of the user')
    this.#running.set(secretHash, read)
    try {
      return await exchange(await read)
    } finally {
      this.#running.delete(secretHash)
    }
  }

  async #read(session: Session, request: unknown): Promise<RefreshedIdentity | null> {
    try {
      return await this.#check(session, request)
    } catch (error) {
      if (error instanceof PortcullisError && error.statusCode >= 500) throw error
      throw storeUnavailable(error)
    }
  }
}

/**
 * Returns the scope and the claims of a session whose user was read.
 *
 * @throws {PortcullisError} `session_ended` if the user is gone. The session is then ended, with its access tokens.
 */
export async function applyCheck(
  dependencies: SessionDependencies,
  session: Session,
  read: RefreshedIdentity | null,
): Promise<Pick<Session, 'scope' | 'claims'>> {
  if (read === null) {
    await endWithStarted(dependencies, [{ sid: session.sid }], 'revoked')
    throw new PortcullisError('session_ended', { reason: 'the user is gone' })
  }
  return identityAfter(session, read)
}

/** Returns the scope and the claims that a session has after its user was read. */
export function identityAfter(
  session: Session,
  { scope = session.scope, claims = session.claims }: RefreshedIdentity,
): Pick<Session, 'scope' | 'claims'> {
  // An empty scope means none.
  return { scope: scope || undefined, claims }
}
