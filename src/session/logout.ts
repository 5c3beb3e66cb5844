/** A logout: ends the session of each token that was presented, or all of the subject's, or all but this one. */
import { PortcullisError } from '../errors.js'
import type { Revocation } from '../revocation/denylist.js'
import { hashSecret } from '../token/refresh-token.js'
import type { RefreshToken } from '../token/refresh-token.js'
import { revokeEnded, endRecords, endSessions } from './end-sessions.js'
import type { SessionToEnd } from './end-sessions.js'
import type { SessionDependencies } from './dependencies.js'
import type { Sid } from './session.js'

export interface PresentedTokens {
  /** The `sid` of an access token of ours, expired or not. */
  readonly access?: Sid | undefined
  readonly refresh?: RefreshToken | undefined
}

/**
 * Ends the sessions of the tokens presented, once or again. When it returns, every instance has stopped accepting
 * each of them.
 *
 * @throws {PortcullisError} `refresh_token_invalid` if none of them was one of ours; `store_unavailable`
 */
export async function logout(
  ports: SessionDependencies,
  { access, refresh }: PresentedTokens,
): Promise<void> {
  const targets: SessionToEnd[] = []
  if (access !== undefined) targets.push({ sid: access })
  if (refresh && refresh.sid !== access) {
    targets.push({ sid: refresh.sid, familyHash: hashSecret(refresh.family) })
  }
  const outcomes = await endSessions(ports, targets, 'logout')
  if (outcomes.every(({ kind }) => kind === 'foreign')) {
    throw new PortcullisError('refresh_token_invalid', { reason: 'family' })
  }
}

/** How many sessions share one denylist write. */
const PAGE = 500

export interface LogoutAllOptions {
  /** The session of the caller: it is ended and denied even if the index has lost it. */
  readonly own?: Sid | undefined
  /** The one session to leave as it is. */
  readonly except?: Sid | undefined
}

/**
 * Ends all sessions that the subject has now, or all but one. Each by its `sid`: exact, and a login in the same second
 * works. Sessions that had ended before are denied again, as that may have failed then. When it returns, no instance
 * admits a token that the subject had before, except those of `except`.
 *
 * A repetition after an error continues with the sessions that are left, as each page leaves the index when it is done.
 * The caller's own comes last, so that its token is still good for the repetition.
 *
 * @throws {PortcullisError} `store_unavailable`
 */
export async function logoutAll(
  ports: SessionDependencies,
  sub: string,
  { own, except }: LogoutAllOptions = {},
): Promise<void> {
  const indexed = await ports.store.sids(sub)
  const targets: SessionToEnd[] = indexed
    .filter((sid) => sid !== except && sid !== own)
    .map((sid) => ({ sid, indexedFor: sub }))
  if (own !== undefined) targets.push({ sid: own, ...(indexed.includes(own) && { indexedFor: sub }) })
  let denying: Promise<void> = Promise.resolve()
  let rest = targets
  do {
    const page = rest.slice(0, PAGE)
    rest = rest.slice(PAGE)
    // While one page waits for all instances, the records of the next are ended.
    const [outcomes] = await Promise.all([endRecords(ports, page, 'logout'), denying])
    denying = revokeEnded(
      ports,
      page,
      outcomes,
      'logout',
      'logout',
      rest.length > 0 ? [] : [lostSessions(sub)],
    )
  } while (rest.length > 0)
  await denying
}

/** For the tokens of sessions that the store has lost, index and all. Last, as it is about the data as they are then. */
function lostSessions(sub: string): Revocation {
  return { kind: 'lost', id: sub, reason: 'logout' }
}
