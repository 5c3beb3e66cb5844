import { toSeconds } from '../clock.js'
import type { Denylist, RevocationReason } from '../revocation/denylist.js'
import { loginTime } from './session.js'
import type { Session } from './session.js'

/**
 * Returns the reason why no more tokens may be issued for a session: a denylist entry covers its `sid`, or its subject or
 * all subjects at the time of its login. Returns `history` if the epoch of the denylist has just changed.
 *
 * @param jtiPrefix The current jti prefix. An old one could yield `history`, which would hide an entry that covers the
 *   session. `Denylist.trusts` checks the prefix of the record.
 */
export async function findCoveringEntry(
  denylist: Pick<Denylist, 'check'>,
  session: Session,
  jtiPrefix: string,
): Promise<RevocationReason | undefined> {
  const { sid, sub, loginJtiPrefix } = session
  const iat = toSeconds(loginTime(session))
  const check = (jti: string) => denylist.check({ jti, sid, sub, kid: '', iat })
  const reason = await check(jtiPrefix)
  if (reason !== 'lost' || loginJtiPrefix === undefined) return reason
  // A `lost` entry exempts the logins of its own epoch. In a later epoch, only the prefix of the login shows them.
  const byLogin = await check(loginJtiPrefix)
  return byLogin === 'history' ? reason : byLogin
}
