/**
 * Ends sessions in three steps, in this order:
 *
 * 1. The record becomes a tombstone, which makes the refresh tokens invalid.
 * 2. The session id goes into the denylist, which makes the access tokens invalid.
 * 3. The id leaves the subject's index. Until then, a logout of all sessions finds it again, which matters if the
 *    second step has failed.
 */
import { PortcullisError } from '../errors.js'
import type { NewEntry } from '../revocation/entry.js'
import type { EndOutcome } from '../store/session-store.js'
import type { SessionDependencies } from './dependencies.js'
import type { EndReason, Sid } from './session.js'

/** A session to end. `familyHash` and `sub` are conditions: if one doesn't match, the session is left as it is. */
export interface SessionToEnd {
  readonly sid: Sid
  /** The family of the session must have this hash. */
  readonly familyHash?: string
  /** The session must belong to this subject. */
  readonly sub?: string
  /** The subject in whose index the id was found. The session is then ended and revoked even if it has no record. */
  readonly indexedFor?: string
  /**
   * Given if a client's token names the session: true if the token proves that the session has existed, and false if the
   * token may be invented. Without a record, only a session that has existed is revoked.
   */
  readonly isProven?: boolean
}

/** Number of records that are ended at once. Other commands on the connection can run between two batches. */
const BATCH = 100

/**
 * Ends sessions and returns one outcome per session. When it resolves, no instance admits a token of these sessions.
 * Sessions with the outcome `foreign` are left as they are. A call may be repeated: it revokes ended sessions again.
 *
 * @param note The reason that the denylist shows to operators. Default: `reason`.
 * @throws {PortcullisError} `store_unavailable`. Some of the sessions may have ended, so repeat the call.
 */
export async function endSessions(
  dependencies: SessionDependencies,
  sessions: readonly SessionToEnd[],
  reason: EndReason,
  note: string = reason,
): Promise<EndOutcome[]> {
  const outcomes = await endRecords(dependencies, sessions, reason)
  await revokeEnded(dependencies, sessions, outcomes, reason, note)
  return outcomes
}

/**
 * Runs the first step. When it resolves, no refresh token of these sessions works.
 *
 * @throws {PortcullisError} `store_unavailable`; `overloaded` if too many sessions without a record are ended
 */
export async function endRecords(
  { store, clock, settings, bounds }: SessionDependencies,
  sessions: readonly SessionToEnd[],
  reason: EndReason,
): Promise<EndOutcome[]> {
  const { tombstone } = settings
  const outcomes: EndOutcome[] = []
  for (let i = 0; i < sessions.length; i += BATCH) {
    const now = clock.now()
    const ends = sessions
      .slice(i, i + BATCH)
      .map((session) =>
        endRecord(session, bounds, (ending) => store.end({ ...ending, reason, tombstone, now })),
      )
    outcomes.push(...(await Promise.all(ends)))
  }
  return outcomes
}

/**
 * Ends one record. If there is none although a token proves that the session has existed, a tombstone takes its place.
 * That is bounded, because each of these sessions costs memory in Redis.
 */
async function endRecord(
  { isProven, ...session }: SessionToEnd,
  { unknown }: SessionDependencies['bounds'],
  end: (session: SessionToEnd) => Promise<EndOutcome>,
): Promise<EndOutcome> {
  const outcome = await end(session)
  if (outcome.kind !== 'unknown' || !isProven) return outcome
  unknown.take()
  return end({ ...session, isProven })
}

/**
 * Runs the second and the third step, and emits one event per ended session.
 *
 * @param others Denylist entries to write together with those of the sessions. Default: none.
 * @throws {PortcullisError} `store_unavailable`
 */
export async function revokeEnded(
  { store, denylist, emit }: SessionDependencies,
  sessions: readonly SessionToEnd[],
  outcomes: readonly EndOutcome[],
  reason: EndReason,
  note: string = reason,
  others: readonly NewEntry[] = [],
): Promise<void> {
  const entries = sessions.flatMap((session, i) => {
    const outcome = outcomes[i]!
    if (!isRevoked(session, outcome)) return []
    const endedAt = outcome.kind === 'already_ended' ? outcome.endedAt : undefined
    return [{ kind: 'sid' as const, id: session.sid, reason: note, endedAt }]
  })
  await denylist.revoke([...entries, ...others])
  for (const [sub, sids] of groupBySubject(sessions, outcomes)) {
    // The tokens are invalid already, so an error is ignored. An id that stays in the index is only ended again later.
    store.unindex(sub, sids).catch(() => {})
  }
  outcomes.forEach((outcome, i) => {
    if (outcome.kind !== 'ended') return
    const event = reason === 'logout' ? 'logout' : 'session_ended'
    emit({ event, sid: sessions[i]!.sid, sub: outcome.sub, reason })
  })
}

/**
 * Returns true if the access tokens of the session are revoked. That includes a session without a record: the
 * record may have been lost while its access tokens are still valid. If the session had to belong to a given subject, a
 * missing record revokes nothing, because the owner is unknown. The same holds for a session that may be invented.
 */
export function isRevoked({ sub, isProven }: SessionToEnd, { kind }: EndOutcome): boolean {
  return kind !== 'foreign' && !(kind === 'unknown' && (sub !== undefined || isProven === false))
}

function groupBySubject(
  sessions: readonly SessionToEnd[],
  outcomes: readonly EndOutcome[],
): Map<string, Sid[]> {
  const found = new Map<string, Sid[]>()
  sessions.forEach(({ sid, indexedFor }, i) => {
    const outcome = outcomes[i]!
    const sub = 'sub' in outcome ? outcome.sub : indexedFor
    // The tombstone of a session that had no record may have no subject.
    if (sub === undefined || sub === '') return
    const sids = found.get(sub)
    if (sids) sids.push(sid)
    else found.set(sub, [sid])
  })
  return found
}

/**
 * Ends one session of a subject.
 *
 * @param own The session of the caller's access token, if any. If `sid` is this session, it is revoked even if its
 *   record was lost.
 * @throws {PortcullisError} `not_found` if the subject has no such session; `store_unavailable`
 */
export async function endOwnSession(
  dependencies: SessionDependencies,
  sub: string,
  sid: Sid,
  own?: Sid,
): Promise<void> {
  const isOwn = sid === own
  const [outcome] = await endSessions(dependencies, [isOwn ? { sid } : { sid, sub }], 'logout')
  if (outcome?.kind === 'foreign' || (outcome?.kind === 'unknown' && !isOwn)) {
    throw new PortcullisError('not_found', { detail: 'You have no such session.' })
  }
}
