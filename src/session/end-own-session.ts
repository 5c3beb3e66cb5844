import { PortcullisError } from '../errors.js'
import type { SessionDependencies } from './dependencies.js'
import { endWithStarted } from './started-by.js'
import type { Sid } from './session.js'

/**
 * Ends one session of a subject, and the sessions that its codes began.
 *
 * @param own The session of the caller's access token, if any. If it equals `sid`, the session is revoked even if its
 *   record was lost, because the access token proves that it is the caller's.
 * @throws {PortcullisError} `not_found` if the subject has no such session; `store_unavailable`
 */
export async function endOwnSession(
  dependencies: SessionDependencies,
  sub: string,
  sid: Sid,
  own?: Sid,
): Promise<void> {
  const isOwn = sid === own
  const [outcome] = await endWithStarted(dependencies, [isOwn ? { sid } : { sid, sub }], 'logout')
  if (outcome?.kind === 'foreign' || (outcome?.kind === 'unknown' && !isOwn)) {
    throw new PortcullisError('not_found', { detail: 'You have no such session.' })
  }
}
