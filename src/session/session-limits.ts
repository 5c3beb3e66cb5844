/** How many sessions a subject may have: `sessions.perSubject` and `sessions.perDevice`. */
import type { Milliseconds } from '../clock.js'
import { PortcullisError } from '../errors.js'
import { latestEnd } from '../store/session-store.js'
import type { IndexedSession } from '../store/session-store.js'
import { endSessions } from './end-sessions.js'
import { selectLiving } from './list-sessions.js'
import type { SessionDependencies, SessionSettings } from './dependencies.js'
import type { Session } from './session.js'

/**
 * How many ids of the index one login looks at, the oldest first: more are left for the next logins. Without
 * `perSubject` nothing bounds the index, and one of its device may be anywhere.
 */
const MAX_LOOKED_AT = 1_000
/** How many sessions one login ends at most. */
const MAX_EVICTED = 500
/** A login stores its record within this time of its entry in the index, with clocks that differ by a few seconds. */
const MAX_LOGIN: Milliseconds = 60_000

/**
 * Keeps the subject of a new session within the limits. It looks after the session was stored, not before: of logins
 * that run at once, each then sees the other, and all come to the same result. Below the limits it costs one count.
 *
 * @throws {PortcullisError} `signed_in_elsewhere` if the new session itself is one too many; `store_unavailable`
 */
export async function keepWithinLimits(ports: SessionDependencies, session: Session): Promise<void> {
  const { store, settings } = ports
  const limits = [settings.perSubject, settings.perDevice].filter((limit) => limit > 0)
  if (limits.length === 0) return
  const count = await store.count(session.sub)
  if (count <= Math.min(...limits)) return
  const lookedAt = settings.perSubject > 0 ? MAX_LOOKED_AT : count
  const found = await store.indexed(session.sub, session.createdAt, lookedAt)
  const unfinished = found.filter((one) => isUnfinished(one, session))
  const unseen = Math.max(0, count - found.length)
  const { evicted, isRefused } = choose(selectLiving(found, session.createdAt), unseen, session, settings)
  const targets = [
    ...unfinished.map(({ sid }) => ({ sid, indexedFor: session.sub })),
    ...evicted.map(({ sid }) => ({ sid })),
  ]
  await endSessions(ports, targets, 'evicted')
  if (isRefused) {
    throw new PortcullisError('signed_in_elsewhere', {
      detail: 'There are as many sessions as may be; end one of them first.',
    })
  }
}

/**
 * An end that was never finished, or an id whose record expired or was lost. Not one whose login may be under way: its
 * end is about as late as that of the new session.
 */
function isUnfinished({ state, latestEnd: end }: IndexedSession, session: Session): boolean {
  return state === 'ended' || (state === 'missing' && end < latestEnd(session) - MAX_LOGIN)
}

/**
 * Which sessions have to end, of the oldest ones in the order of their beginning, and `unseen` younger ones. The new
 * session itself is refused if it is one of too many: with `evict-oldest` only where one that began at once with it
 * came out as the newer.
 */
function choose(
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
  // Of what the device's own limit leaves, so that a login in place of another doesn't cost a third one.
  const rest = living.filter((one) => !surplus.has(one))
  for (const one of findSurplus(rest, perSubject, unseen, onLimit)) surplus.add(one)
  const isLate = onLimit === 'refuse' && perSubject > 0 && unseen > 0 && rest.length + unseen > perSubject
  const isRefused = isLate || [...surplus].some(({ sid }) => sid === session.sid)
  if (onLimit === 'refuse') return { evicted: isRefused ? [session] : [], isRefused }
  return { evicted: [...surplus].slice(0, MAX_EVICTED), isRefused }
}

/** Of sessions in the order of their beginning, those that are too many. */
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
