/** Limits the number of sessions of a subject: `sessions.perSubject` and `sessions.perDevice`. */
import type { Milliseconds } from '../clock.js'
import { PortcullisError } from '../errors.js'
import { latestEnd } from '../store/session-store.js'
import type { IndexedSession } from '../store/session-store.js'
import { endSessions } from './end-sessions.js'
import { selectLiving } from './list-sessions.js'
import type { SessionDependencies, SessionSettings } from './dependencies.js'
import type { Session } from './session.js'

/**
 * Maximum number of ids that one login reads from the index, oldest first. Later logins handle the rest. The limit
 * applies only with `perSubject`: without it the index has no bound, and a session of the device may be anywhere in it.
 */
const MAX_READ = 1_000
/** Maximum number of sessions that one login ends. */
const MAX_EVICTED = 500
/**
 * Maximum time between the index entry of a login and its record. It allows for clocks that differ by a few seconds.
 */
const MAX_LOGIN: Milliseconds = 60_000

/**
 * Ends sessions of a subject that exceed the limits. Call it after the new session was stored: concurrent logins then
 * see each other's sessions and come to the same result. Below the limits it costs one command.
 *
 * @throws {PortcullisError} `signed_in_elsewhere` if the new session itself exceeds a limit; `store_unavailable`
 */
export async function keepWithinLimits(dependencies: SessionDependencies, session: Session): Promise<void> {
  const { store, settings } = dependencies
  const limits = [settings.perSubject, settings.perDevice].filter((limit) => limit > 0)
  if (limits.length === 0) return
  const count = await store.count(session.sub)
  if (count <= Math.min(...limits)) return
  const readCount = settings.perSubject > 0 ? MAX_READ : count
  const found = await store.indexed(session.sub, session.createdAt, readCount)
  const unfinished = found.filter((entry) => isUnfinished(entry, session))
  const unseen = Math.max(0, count - found.length)
  const { evicted, isRefused } = chooseEvictions(
    selectLiving(found, session.createdAt),
    unseen,
    session,
    settings,
  )
  const toEnd = [
    ...unfinished.map(({ sid }) => ({ sid, indexedFor: session.sub })),
    ...evicted.map(({ sid }) => ({ sid })),
  ]
  await endSessions(dependencies, toEnd, 'evicted')
  if (isRefused) {
    throw new PortcullisError('signed_in_elsewhere', {
      detail: 'The maximum number of sessions is reached. End one of them first.',
    })
  }
}

/**
 * Returns true if the id should have left the index: the session has ended, or its record expired or was lost. An id
 * without a record may also belong to a login that is still in progress. Its latest end is then about that of the new
 * session, and the function returns false.
 */
function isUnfinished({ state, latestEnd: end }: IndexedSession, session: Session): boolean {
  return state === 'ended' || (state === 'missing' && end < latestEnd(session) - MAX_LOGIN)
}

/**
 * Chooses the sessions to end.
 *
 * With `evict-oldest`, the new session is refused only if a concurrent login is ordered as the newer one. With
 * `refuse`, it is refused if it exceeds a limit.
 *
 * @param living The oldest sessions, in the order of their logins.
 * @param unseen The number of younger sessions that weren't read.
 */
function chooseEvictions(
  living: readonly Session[],
  unseen: number,
  session: Session,
  { perSubject, perDevice, onLimit }: SessionSettings,
): { evicted: readonly Session[]; isRefused: boolean } {
  const surplus = new Set(
    findSurplus(
      living.filter(({ device }) => device === session.device),
      perDevice,
      0,
      onLimit,
    ),
  )
  // Apply `perSubject` to the sessions that remain after `perDevice`. A login that replaces a session of its device
  // then ends no other session.
  const rest = living.filter((each) => !surplus.has(each))
  for (const each of findSurplus(rest, perSubject, unseen, onLimit)) surplus.add(each)
  const isLate = onLimit === 'refuse' && perSubject > 0 && unseen > 0 && rest.length + unseen > perSubject
  const isRefused = isLate || [...surplus].some(({ sid }) => sid === session.sid)
  if (onLimit === 'refuse') return { evicted: isRefused ? [session] : [], isRefused }
  return { evicted: [...surplus].slice(0, MAX_EVICTED), isRefused }
}

/** Returns the sessions that exceed a limit. `sessions` is in the order of the logins. */
function findSurplus(
  sessions: readonly Session[],
  limit: number,
  unseen: number,
  onLimit: SessionSettings['onLimit'],
): readonly Session[] {
  const surplus = sessions.length + unseen - limit
  if (limit === 0 || surplus <= 0) return []
  return onLimit === 'refuse' ? sessions.slice(limit) : sessions.slice(0, surplus)
}
