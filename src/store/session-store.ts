import type { Milliseconds, UnixMs } from '../clock.js'
import type { EndReason, Session, Sid } from '../session/session.js'

/** The hashes that a new session is stored with. */
export interface SessionSecrets {
  readonly familyHash: string
  readonly secretHash: string
}

/** One use of a refresh token, with everything the atomic step needs to decide. */
export interface RotationRequest {
  readonly sid: Sid
  readonly familyHash: string
  /** Hash of the presented secret. */
  readonly secretHash: string
  /** The salt and the hash of the successor's secret, stored if this use rotates. */
  readonly salt: string
  readonly successorHash: string
  readonly now: UnixMs
  /** Of the tokens that are minted now. */
  readonly mark: string
  /** How long a session lives without being refreshed; 0 = no limit. */
  readonly idle: Milliseconds
  /** How often a session may be refreshed; 0 = no limit. */
  readonly refreshLimit: number
  /** For how long after a rotation its parent still yields the same successor. */
  readonly reuseGrace: Milliseconds
  /** How long the mark of an ended session stays. */
  readonly tombstone: Milliseconds
}

/** Under which mark, and when, a record had been written before the rotation. */
export interface PreviousWrite {
  readonly mark: string
  readonly at: UnixMs
}

export type RotationOutcome =
  | { readonly kind: 'rotated'; readonly session: Session; readonly former: PreviousWrite }
  /** The immediate predecessor, within the grace: the successor is derived from this stored salt. */
  | {
      readonly kind: 'retried'
      readonly session: Session
      readonly former: PreviousWrite
      readonly salt: string
    }
  /** A token of this session that was used before: theft. The same step has ended the session. */
  | { readonly kind: 'reused'; readonly sub: string }
  | { readonly kind: 'ended'; readonly sub: string; readonly reason: EndReason }
  /** Past its idle or absolute limit. */
  | { readonly kind: 'expired' }
  | { readonly kind: 'limit_reached' }
  /** There is such a session, but this token was never one of its own. Nothing was changed. */
  | { readonly kind: 'forged' }
  /** No such session (any more). */
  | { readonly kind: 'unknown' }

export interface EndRequest {
  readonly sid: Sid
  readonly reason: EndReason
  /** Only if the session's family has this hash. */
  readonly familyHash?: string | undefined
  /** Only if the session is this subject's. */
  readonly sub?: string | undefined
  /**
   * The subject in whose index the id was found. A tombstone is left even if there is no record: a login under way
   * can't store its session afterwards.
   */
  readonly indexedFor?: string | undefined
  readonly tombstone: Milliseconds
  readonly now: UnixMs
}

export type EndOutcome =
  | { readonly kind: 'ended'; readonly sub: string }
  | { readonly kind: 'already_ended'; readonly sub: string }
  /** There is such a session, but `familyHash` or `sub` is not its own. Nothing was changed. */
  | { readonly kind: 'foreign' }
  | { readonly kind: 'unknown' }

/** One id of a subject's index, and its record. */
export interface IndexedSession {
  readonly sid: Sid
  /** The latest moment at which the session can be alive. */
  readonly latestEnd: UnixMs
  /** `missing`: a login under way that has not stored its record yet, or a record that expired or was lost. */
  readonly state: 'stored' | 'ended' | 'missing'
  /** The record, if `stored`; it may have expired a moment ago. */
  readonly session: Session | undefined
}

/** A place in a subject's index: behind the id with this latest end. */
export interface IndexPlace {
  readonly latestEnd: UnixMs
  readonly sid: Sid
}

/**
 * Where sessions are kept. An ended session leaves a tombstone for as long as an access token of it could live, so that
 * a repeated logout is recognised and its denylist entry can be written again.
 *
 * A subject's index has the id of each of its sessions. An id stays there after the end, until `unindex`: whoever ends
 * all sessions of the subject then finds also those whose denylist entry was never written.
 *
 * Every method throws a `store_unavailable` PortcullisError when the store can't be asked.
 */
export interface SessionStore {
  /**
   * Stores a new session, entered in its subject's index first, so that no session is ever missing there. Throws
   * `store_unavailable` also if the session was ended before it was stored.
   */
  create(session: Session, secrets: SessionSecrets): Promise<void>
  /** The one atomic step that uses up a refresh token. */
  rotate(rotation: RotationRequest): Promise<RotationOutcome>
  /** Ends a session in one atomic step: from then on no refresh token of it works. */
  end(ending: EndRequest): Promise<EndOutcome>
  /** How many ids the subject's index has, those of ended sessions included. */
  count(sub: string): Promise<number>
  /** Every id of the subject's index, those of ended sessions included. */
  sids(sub: string): Promise<Sid[]>
  /**
   * Up to `count` ids of the subject's index behind a place, with their records, ordered by latest end and id. Prunes
   * the index of ids whose tokens have all expired.
   */
  indexed(sub: string, now: UnixMs, count: number, after?: IndexPlace): Promise<IndexedSession[]>
  /** Takes ended sessions out of their subject's index. Only after their denylist entries were written. */
  unindex(sub: string, sids: readonly Sid[]): Promise<void>
}

/**
 * How long an id stays in the index after the latest end of its session. No access token lives longer than its session,
 * but it is admitted for `tokens.leeway` more (60 s at most), by clocks that may be 2 s behind that of Redis, while the
 * clock that prunes may be 2 s ahead.
 */
export const INDEX_SLACK: Milliseconds = 65_000

/** How long a record outlives its session, so that a client that comes a moment late is told that it expired. */
export const EXPIRY_SLACK: Milliseconds = 3_000

/**
 * The latest moment at which a session can be alive: what its index entry is scored with. One with an absolute end
 * needn't be touched again; one without moves with each rotation.
 */
export function latestEnd(session: Session): UnixMs {
  return session.endsAt > 0 ? session.endsAt : session.expiresAt
}

/**
 * Returns true if a session must be entered in its index again after a rotation: without an absolute end, the index
 * lives as long as the last rotation says. In another epoch than before, the index may be lost although the record
 * isn't, if the data were lost while the login wrote them. The tokens of this epoch must then be found by it. A retry
 * repeats it, so that a response of 503 between the two steps heals.
 */
export function mustIndexAgain(
  { session, former }: { session: Session; former: PreviousWrite },
  { mark }: RotationRequest,
): boolean {
  return session.endsAt === 0 || former.mark !== mark
}
