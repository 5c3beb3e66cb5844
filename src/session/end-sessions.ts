/**
 * Ends sessions in three steps, in this order:
 *
 * 1. The record becomes a tombstone, which makes the refresh tokens invalid.
 * 2. The session id goes into the denylist, which makes the access tokens invalid.
 * 3. The id leaves the subject's index. Until then, a logout of all sessions finds it again, which matters if the
 *    second step has failed.
 */
import { EVICTED } from '../revocation/entry.js'
import type { NewEntry } from '../revocation/entry.js'
import type { EndOutcome } from '../store/session-store.js'
import type { SessionDependencies } from './dependencies.js'
import type { EndReason, Sid } from './session.js'

/** A session to end. `familyHash` and `sub` are conditions. If one doesn't match, the session is left (`foreign`). */
export interface SessionToEnd {
  readonly sid: Sid
  /** The hash of the family, which the presented refresh token names. The session must have the same family. */
  readonly familyHash?: string
  /** The session must belong to this subject. */
  readonly sub?: string
  /** The subject in whose index the id was found. If set, the store writes a tombstone even if there is no record. */
  readonly indexedFor?: string
  /**
   * Set only if a token of a client names the session. True if the token proves that the session has existed, and false
   * if the client may have invented the token. If false, a session without a record isn't revoked.
   */
  readonly isProven?: boolean
  /** True if another denylist entry covers all access tokens of the session. No entry is then written for its `sid`. */
  readonly isCovered?: boolean
}

/** Sessions whose records were ended, with the outcome for each of them. */
export interface EndedRecords {
  readonly sessions: readonly SessionToEnd[]
  readonly outcomes: readonly EndOutcome[]
}

const NONE: EndedRecords = { sessions: [], outcomes: [] }

/** Options of `endInPages`. */
export interface EndOptions {
  /** The reason that the denylist shows to operators. Default: the reason of the end. */
  readonly note?: string | undefined
  /** Denylist entries to write together with those of the last page. Default: none. */
  readonly last?: readonly NewEntry[]
  /**
   * Ends the records of further sessions, whose tokens are revoked together with those of the last page. It is called
   * when all other records have ended. Default: none.
   */
  readonly endOthers?: () => Promise<EndedRecords>
}

/** Maximum number of sessions per write to the denylist. */
const PAGE = 500

/**
 * Ends any number of sessions, in pages. When it resolves, no instance admits a token of these sessions.
 *
 * After an error, the caller can repeat the call with the sessions that are still in the index, because each page leaves
 * the index when it is done.
 *
 * @throws {PortcullisError} `store_unavailable`
 */
export async function endInPages(
  dependencies: SessionDependencies,
  sessions: readonly SessionToEnd[],
  reason: EndReason,
  { note = reason, last = [], endOthers = async () => NONE }: EndOptions = {},
): Promise<void> {
  let revoking: Promise<void> = Promise.resolve()
  let rest = sessions
  do {
    const page = rest.slice(0, PAGE)
    rest = rest.slice(PAGE)
    // The records of one page are ended while the revocation of the previous page waits for all instances.
    const [outcomes] = await Promise.all([endRecords(dependencies, page, reason), revoking])
    const isLast = rest.length === 0
    const others = isLast ? await endOthers() : NONE
    revoking = revokeEnded(
      dependencies,
      [...page, ...others.sessions],
      [...outcomes, ...others.outcomes],
      reason,
      note,
      isLast ? last : [],
    )
  } while (rest.length > 0)
  await revoking
}

/** Number of records that are ended at once. Other commands on the connection to Redis can run between two batches. */
const BATCH = 100

/**
 * Ends sessions and returns one outcome per session. When it resolves, no instance admits a token of a session for
 * which `isRevoked` returns true. The other sessions are left as they are. A call may be repeated. It then writes the
 * denylist entries of ended sessions again.
 *
 * @param note The reason that the denylist shows to operators. Default: `reason`.
 * @throws {PortcullisError} `store_unavailable`, or `overloaded` as `endRecords`. Some of the sessions may have ended,
 *   so repeat the call.
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
 * Runs the first step: ends the records. When it resolves, no refresh token of these sessions works, except those with
 * the outcome `foreign`.
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
 * Ends one record. If there is none, but a token proves that the session has existed, the store writes a tombstone. The
 * rate of such tombstones is bounded (`unknown`), because each costs memory in Redis.
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
    if (session.isCovered || !isRevoked(session, outcome)) return []
    const endedAt = outcome.kind === 'already_ended' ? outcome.endedAt : undefined
    // A session that had ended before may have been logged out.
    const before = reason === 'evicted' && outcome.kind === 'ended' ? EVICTED : undefined
    return [{ kind: 'sid' as const, id: session.sid, before, reason: note, endedAt }]
  })
  await denylist.revoke([...entries, ...others])
  for (const [sub, sids] of groupBySubject(sessions, outcomes)) {
    // The tokens are invalid already, so an error is ignored. If an id stays in the index, the next logout of all
    // sessions ends that session once more, which does no harm.
    store.unindex(sub, sids).catch(() => {})
  }
  outcomes.forEach((outcome, i) => {
    if (outcome.kind !== 'ended') return
    const event = reason === 'logout' ? 'logout' : 'session_ended'
    emit({ event, sid: sessions[i]!.sid, sub: outcome.sub, reason })
  })
}

/**
 * Returns true if the access tokens of the session must be revoked. A session without a record is revoked, too, because
 * the record may be lost while access tokens are still valid. It isn't revoked in two cases: if it must belong to a
 * given subject (`sub`), because its owner is unknown, or if the client may have invented it (`isProven` is false).
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
    // A tombstone that was written for a session without a record may have an empty subject.
    if (sub === undefined || sub === '') return
    const sids = found.get(sub)
    if (sids) sids.push(sid)
    else found.set(sub, [sid])
  })
  return found
}
