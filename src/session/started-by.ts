/** Sessions that the one-time codes of other sessions began (`Session.startedBy`). */
import type { UnixMs } from '../clock.js'
import type { EndOutcome } from '../store/session-store.js'
import { endRecords, revokeEnded } from './end-sessions.js'
import type { EndedRecords, SessionToEnd } from './end-sessions.js'
import type { SessionDependencies } from './dependencies.js'
import { readIndex } from './read-index.js'
import type { EndReason, Session, Sid } from './session.js'

/**
 * Ends sessions as `endSessions` does, together with the sessions that their codes began. So a logout ends whatever the
 * session was used to start, and an exchange in progress can't leave a session behind. A session that expires or gives
 * way to a newer one (`sessions.perSubject`, `perDevice`) ends alone.
 *
 * @returns The outcomes of `sessions` alone.
 * @throws {PortcullisError} as `endSessions`
 */
export async function endWithStarted(
  dependencies: SessionDependencies,
  sessions: readonly SessionToEnd[],
  reason: EndReason,
  note?: string,
): Promise<EndOutcome[]> {
  const outcomes = await endRecords(dependencies, sessions, reason)
  const started = await endAllStartedBy(dependencies, sessions, outcomes, reason)
  const all = [...sessions, ...started.sessions]
  await revokeEnded(dependencies, all, [...outcomes, ...started.outcomes], reason, note)
  return outcomes
}

async function endAllStartedBy(
  dependencies: SessionDependencies,
  ended: readonly SessionToEnd[],
  outcomes: readonly EndOutcome[],
  reason: EndReason,
): Promise<EndedRecords> {
  const sessions: SessionToEnd[] = []
  const started: EndOutcome[] = []
  for (const [i, outcome] of outcomes.entries()) {
    if (dependencies.codes === undefined || !('sub' in outcome) || outcome.sub === '') continue
    const found = await endStartedBy(dependencies, outcome.sub, ended[i]!.sid, { reason })
    sessions.push(...found.sessions)
    started.push(...found.outcomes)
  }
  return { sessions, outcomes: started }
}

/**
 * Ends the records of sessions that a code began while a logout of all sessions was in progress, if the session of the
 * code has ended. The caller must revoke their tokens (`revokeEnded`).
 *
 * Call it when the other records have been ended. An exchange stores its session before it checks for the last time that
 * the session of the code is living. Therefore either this function finds the new session in the index, or the exchange
 * finds that the session of the code has ended.
 *
 * @param earlier The ids in the index when the logout read it.
 * @throws {PortcullisError} `store_unavailable`
 */
export function endOrphansSince(
  dependencies: SessionDependencies,
  sub: string,
  earlier: readonly Sid[],
): Promise<EndedRecords> {
  return endUntilNone(dependencies, sub, 'logout', new Set(earlier), (session) =>
    isOrphan(dependencies, session),
  )
}

/**
 * Ends the records of the sessions that codes of an ended session began, then of those that their codes began. The
 * caller must revoke their tokens (`revokeEnded`).
 *
 * A session between two others may have ended, and its record no longer says what began it. A thief could use that to
 * keep the last one. Therefore sessions that began at `since` or later are ended, too, if the session of their code has
 * ended.
 *
 * @param since A session that began before this time is left unless it is known to come from the ended one. Default:
 *   all are left.
 * @throws {PortcullisError} `store_unavailable`
 */
export function endStartedBy(
  dependencies: SessionDependencies,
  sub: string,
  sid: Sid,
  { reason, since = Infinity }: { readonly reason: EndReason; readonly since?: UnixMs },
): Promise<EndedRecords> {
  const ended = new Set([sid])
  return endUntilNone(
    dependencies,
    sub,
    reason,
    ended,
    async (session) =>
      ended.has(session.startedBy!) ||
      (session.createdAt >= since && (await isOrphan(dependencies, session))),
  )
}

/** Returns true if a code began the session, and the session of that code has ended or expired. */
async function isOrphan({ store, clock }: SessionDependencies, { startedBy }: Session): Promise<boolean> {
  if (startedBy === undefined) return false
  const issuer = await store.read(startedBy)
  return issuer === undefined || issuer.expiresAt <= clock.now()
}

/**
 * Ends the records of a subject's sessions that match. Repeats that until no session matches, because a code of each of
 * them may have begun another one in the meantime.
 *
 * Sessions that have ended before, but are still in the index, are returned, too: an earlier call may have failed before
 * it revoked their tokens, and their records no longer say what began them.
 *
 * @param seen Sessions to leave out. The ended sessions are added.
 */
async function endUntilNone(
  dependencies: SessionDependencies,
  sub: string,
  reason: EndReason,
  seen: Set<Sid>,
  matches: (session: Session) => Promise<boolean>,
): Promise<EndedRecords> {
  const { store, clock } = dependencies
  const sessions: SessionToEnd[] = []
  const outcomes: EndOutcome[] = []
  for (;;) {
    const found: SessionToEnd[] = []
    for await (const { sid, state, session } of readIndex(store, sub, clock.now())) {
      if (seen.has(sid)) continue
      if (state === 'ended' || (session && (await matches(session)))) found.push({ sid, indexedFor: sub })
    }
    if (found.length === 0) return { sessions, outcomes }
    outcomes.push(...(await endRecords(dependencies, found, reason)))
    sessions.push(...found)
    for (const { sid } of found) seen.add(sid)
  }
}
