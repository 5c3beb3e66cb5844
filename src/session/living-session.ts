import { toSeconds } from '../clock.js'
import { PortcullisError } from '../errors.js'
import type { SessionDependencies } from './dependencies.js'
import { rejectIfRevoked } from './refresh.js'
import { loginTime } from './session.js'
import type { Session, Sid } from './session.js'

/**
 * Returns a session that can be refreshed now. The record alone isn't enough, because a revoke of everybody ends no
 * record, and a revoke of the subject ends it only after the denylist entry was written.
 *
 * @throws {PortcullisError} `session_ended`, `reauthentication_required`, `store_unavailable`
 */
export async function requireLiving(dependencies: SessionDependencies, sid: Sid): Promise<Session> {
  const { store, denylist, clock } = dependencies
  const [session, cutoff = 0] = await Promise.all([store.read(sid), store.cutoff()])
  if (!session || session.expiresAt <= clock.now())
    throw new PortcullisError('session_ended', { reason: 'no living record' })
  // Before the stamp, which waits for a while after a revoke of everybody.
  if (toSeconds(loginTime(session)) * 1000 <= cutoff)
    throw new PortcullisError('session_ended', { reason: 'everybody was revoked' })
  const stamp = await denylist.stamp()
  const former = { jtiPrefix: session.jtiPrefix, at: session.lastSeenAt }
  await rejectIfRevoked(dependencies, stamp, { session, former })
  return session
}
