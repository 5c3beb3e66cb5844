/** Ends sessions: their refresh tokens by the record, their access tokens by the denylist. In this order. */
import { Refusal } from '../errors.js'
import type { EndOutcome } from '../store/port.js'
import type { SessionPorts } from './ports.js'
import type { EndReason, Sid } from './session.js'

/** A session to end, and what must be its own for that. */
export interface Target {
  readonly sid: Sid
  /** The hash of the family that a refresh token of it bears. */
  readonly familyHash?: string
  /** Its subject. */
  readonly sub?: string
}

/**
 * Ends sessions, and says of each what was found. When it returns, no instance admits any token of them, but for the
 * `foreign` ones, which are left as they were. `note` is what the denylist says for people. Harmless to repeat: one
 * that had ended is denied again all the same.
 *
 * @throws {Refusal} `store_unavailable`: some may have ended, nothing is promised; repeat it
 */
export async function endSessions(
  { store, revocation, clock, rules, tell }: SessionPorts,
  targets: readonly Target[],
  reason: EndReason,
  note: string = reason,
): Promise<EndOutcome[]> {
  const now = clock.now()
  const { tombstone } = rules
  const outcomes = await Promise.all(
    targets.map((target) => store.end({ ...target, reason, tombstone, now })),
  )
  const denied = targets.filter((target, i) => isDenied(target, outcomes[i]!))
  await revocation.revoke(denied.map(({ sid }) => ({ kind: 'sid', id: sid, reason: note })))
  outcomes.forEach((outcome, i) => {
    if (outcome.kind !== 'ended') return
    const event = reason === 'logout' ? 'logout' : 'session_ended'
    tell({ event, sid: targets[i]!.sid, sub: outcome.sub, reason })
  })
  return outcomes
}

/**
 * A record that was lost may have left access tokens that live: so what isn't known is denied, too, unless it had to
 * be somebody's.
 */
function isDenied(target: Target, { kind }: EndOutcome): boolean {
  return kind !== 'foreign' && !(kind === 'unknown' && target.sub !== undefined)
}

/**
 * Ends one session of a subject's own.
 *
 * @throws {Refusal} `not_found` if it is another's, or nobody's; `store_unavailable`
 */
export async function endOwnSession(ports: SessionPorts, sub: string, sid: Sid): Promise<void> {
  const [outcome] = await endSessions(ports, [{ sid, sub }], 'logout')
  if (outcome?.kind === 'foreign' || outcome?.kind === 'unknown') {
    throw new Refusal('not_found', { detail: 'You have no such session.' })
  }
}
