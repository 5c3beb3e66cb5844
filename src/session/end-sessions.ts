/**
 * Ends sessions: their refresh tokens by the record, their access tokens by the denylist, in this order. The index of
 * the subject forgets them last: until then, whoever ends all sessions of the subject finds them.
 */
import { PortcullisError } from '../errors.js'
import type { Revocation } from '../revocation/denylist.js'
import type { EndOutcome } from '../store/session-store.js'
import type { SessionDependencies } from './dependencies.js'
import type { EndReason, Sid } from './session.js'

/** A session to end, and what must be its own for that. */
export interface SessionToEnd {
  readonly sid: Sid
  /** The hash of the family that a refresh token of it bears. */
  readonly familyHash?: string
  /** Its subject. */
  readonly sub?: string
  /** The subject in whose index the id was found: it is ended and denied also without a record. */
  readonly indexedFor?: string
}

/** How many records are ended at once: other calls on the connection have their turn between two batches. */
const BATCH = 100

/**
 * Ends sessions, and returns what was found of each. When it returns, no instance admits any token of them, except for
 * the `foreign` ones, which are left as they were. `note` is the reason that the denylist shows to people. Harmless to
 * repeat: a session that had ended already is denied again.
 *
 * @throws {PortcullisError} `store_unavailable`: some may have ended, nothing is promised; repeat it
 */
export async function endSessions(
  ports: SessionDependencies,
  targets: readonly SessionToEnd[],
  reason: EndReason,
  note: string = reason,
): Promise<EndOutcome[]> {
  const outcomes = await endRecords(ports, targets, reason)
  await revokeEnded(ports, targets, outcomes, reason, note)
  return outcomes
}

/** The first step: from here on no refresh token of the sessions works. */
export async function endRecords(
  { store, clock, settings }: SessionDependencies,
  targets: readonly SessionToEnd[],
  reason: EndReason,
): Promise<EndOutcome[]> {
  const { tombstone } = settings
  const outcomes: EndOutcome[] = []
  for (let i = 0; i < targets.length; i += BATCH) {
    const now = clock.now()
    const ends = targets.slice(i, i + BATCH).map((target) => store.end({ ...target, reason, tombstone, now }))
    outcomes.push(...(await Promise.all(ends)))
  }
  return outcomes
}

/** The second step: denies the access tokens, together with `others`, and then takes the ids out of their index. */
export async function revokeEnded(
  { store, denylist, emit }: SessionDependencies,
  targets: readonly SessionToEnd[],
  outcomes: readonly EndOutcome[],
  reason: EndReason,
  note: string = reason,
  others: readonly Revocation[] = [],
): Promise<void> {
  const denied = targets.filter((target, i) => isToBeRevoked(target, outcomes[i]!))
  await denylist.revoke([
    ...denied.map(({ sid }) => ({ kind: 'sid' as const, id: sid, reason: note })),
    ...others,
  ])
  for (const [sub, sids] of bySubject(targets, outcomes)) {
    // The promise holds already. An id that stays behind is ended and denied again by whoever finds it.
    store.unindex(sub, sids).catch(() => {})
  }
  outcomes.forEach((outcome, i) => {
    if (outcome.kind !== 'ended') return
    const event = reason === 'logout' ? 'logout' : 'session_ended'
    emit({ event, sid: targets[i]!.sid, sub: outcome.sub, reason })
  })
}

/**
 * A record that was lost may have left access tokens that live: so what isn't known is denied, too, unless it had to
 * be somebody's.
 */
function isToBeRevoked(target: SessionToEnd, { kind }: EndOutcome): boolean {
  return kind !== 'foreign' && !(kind === 'unknown' && target.sub !== undefined)
}

function bySubject(targets: readonly SessionToEnd[], outcomes: readonly EndOutcome[]): Map<string, Sid[]> {
  const found = new Map<string, Sid[]>()
  targets.forEach(({ sid, indexedFor }, i) => {
    const outcome = outcomes[i]!
    const sub = 'sub' in outcome ? outcome.sub : indexedFor
    if (sub === undefined) return
    const sids = found.get(sub)
    if (sids) sids.push(sid)
    else found.set(sub, [sid])
  })
  return found
}

/**
 * Ends one session of a subject's own. `own` is the session of the caller's access token: it is denied also if its
 * record was lost.
 *
 * @throws {PortcullisError} `not_found` if it is another's, or nobody's; `store_unavailable`
 */
export async function endOwnSession(
  ports: SessionDependencies,
  sub: string,
  sid: Sid,
  own?: Sid,
): Promise<void> {
  const isOwn = sid === own
  const [outcome] = await endSessions(ports, [isOwn ? { sid } : { sid, sub }], 'logout')
  if (outcome?.kind === 'foreign' || (outcome?.kind === 'unknown' && !isOwn)) {
    throw new PortcullisError('not_found', { detail: 'You have no such session.' })
  }
}
