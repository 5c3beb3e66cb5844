import type { IndexPlace } from '../store/session-store.js'
import type { SessionDependencies } from './dependencies.js'
import { endSessions } from './end-sessions.js'
import type { SessionToEnd } from './end-sessions.js'
import type { Session } from './session.js'

/** Number of ids per read of an index. */
const PAGE = 100
/** Maximum number of sessions that are ended at once. They share the wait for the other instances. */
const MAX_ENDED = 500
/** The reason that the denylist shows to operators. */
const NOTE = 'user removed or password changed'

/**
 * Ends all sessions of some subjects for which `isOutdated` returns true, and returns their number. When it resolves,
 * no instance admits a token of these sessions. The subjects are processed one after another.
 *
 * Sessions that have ended before, but are still in an index, are revoked again, because an earlier call may have failed
 * between the two steps. Ids without a record may belong to a login that is still in progress, so they are left.
 *
 * @throws {PortcullisError} `store_unavailable`. Some of the sessions may have ended, so repeat the call.
 */
export async function endOutdatedSessions(
  dependencies: SessionDependencies,
  subs: readonly string[],
  isOutdated: (session: Session) => boolean,
): Promise<number> {
  const { store, clock } = dependencies
  let found: SessionToEnd[] = []
  let ended = 0
  const endFound = async () => {
    const outcomes = await endSessions(dependencies, found, 'revoked', NOTE)
    ended += outcomes.filter(({ kind }) => kind === 'ended').length
    found = []
  }
  /** Collects and ends the outdated sessions of one subject. Returns true if there was any. */
  const endOf = async (sub: string, isFirst: boolean): Promise<boolean> => {
    let isChanged = false
    let after: IndexPlace | undefined
    do {
      const page = await store.indexed(sub, clock.now(), PAGE, after)
      for (const { sid, state, session } of page) {
        const isLiving = session !== undefined && isOutdated(session)
        isChanged ||= isLiving
        if (isLiving || (isFirst && state === 'ended')) found.push({ sid, indexedFor: sub })
      }
      if (found.length >= MAX_ENDED) await endFound()
      after = page.length === PAGE ? page.at(-1) : undefined
    } while (after !== undefined)
    return isChanged
  }
  let rest = subs
  // Repeat for subjects with an outdated session: one of its codes may have begun another one after the index was read.
  for (let isFirst = true; rest.length > 0; isFirst = false) {
    const changed: string[] = []
    for (const sub of rest) if (await endOf(sub, isFirst)) changed.push(sub)
    if (found.length > 0) await endFound()
    rest = changed
  }
  return ended
}
