import { storeUnavailable } from '../errors.js'
import type { TokenStamp } from '../revocation/denylist.js'
import type { SessionDependencies } from './dependencies.js'
import { endSessions } from './end-sessions.js'
import type { Session } from './session.js'

/**
 * Ends a new session and throws if a denylist entry covers its tokens. Call it when the session has been stored.
 *
 * A revoke of the subject writes its entry and then ends the sessions in the subject's index. A login that took its
 * stamp before the entry, and added its session to the index after the revoke had read it, is missed there. Such a
 * login finds the entry here.
 *
 * @throws {PortcullisError} `store_unavailable`
 */
export async function rejectIfCovered(
  dependencies: SessionDependencies,
  { sid, sub }: Session,
  { jtiPrefix, issuedAt }: TokenStamp,
): Promise<void> {
  const reason = await dependencies.denylist.check({ jti: jtiPrefix, sid, sub, kid: '', iat: issuedAt })
  if (reason === undefined) return
  await endSessions(dependencies, [{ sid }], 'revoked')
  throw storeUnavailable(`the session was revoked while it began (${reason})`)
}
