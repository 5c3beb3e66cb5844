import type { Milliseconds, UnixMs, UnixSeconds } from '../clock.js'
import type { EndReason, Session, Sid } from '../session/session.js'

/** The hashes of an exchangeable token: its family and its secret. */
export interface SessionSecrets {
  readonly familyHash: string
  readonly secretHash: string
}

/** One exchange of a token, with everything that the atomic rotation needs to decide its outcome. */
export interface RotationRequest {
  readonly sid: Sid
  readonly familyHash: string
  /** Hash of the presented secret. */
  readonly secretHash: string
  /** The salt from which the successor's secret is derived. It is stored if this use rotates, as is the hash. */
  readonly salt: string
  readonly successorHash: string
  readonly now: UnixMs
  /** The jti prefix of the access tokens that are issued with this rotation. */
  readonly jtiPrefix: string
  /** The `iat` of the access token that is issued with this rotation. */
  readonly issuedAt: UnixSeconds
  /** The scope and the claims that the session has from this rotation on. `undefined` leaves both as they are. */
  readonly identity?: Pick<Session, 'scope' | 'claims'> | undefined
  /** The longest time between two refreshes, for sessions without an `idle` of their own. 0 means no limit. */
  readonly idle: Milliseconds
  /** The number of times that a session may be refreshed. 0 means no limit. */
  readonly refreshLimit: number
  /** The grace: the time after a rotation in which the previous refresh token yields the same successor again. */
  readonly reuseGrace: Milliseconds
  /** The lifetime of a tombstone. */
  readonly tombstone: Milliseconds
}

/** The jti prefix and the time of the last write of a record before this rotation. */
export interface PreviousWrite {
  readonly jtiPrefix: string
  readonly at: UnixMs
}

export type RotationOutcome =
  | {
      readonly kind: 'rotated'
      readonly session: Session
      readonly former: PreviousWrite
      /** See `setCutoff`. It was read after the rotation. `undefined` if there is none. */
      readonly cutoff?: UnixMs | undefined
    }
  /** The previous refresh token was used again within the grace. Its successor is derived from the stored salt. */
  | {
      readonly kind: 'retried'
      readonly session: Session
      readonly former: PreviousWrite
      /** See `setCutoff`. It was read after the rotation. `undefined` if there is none. */
      readonly cutoff?: UnixMs | undefined
      readonly salt: string
    }
  /** The refresh token was used before, so it may be stolen. The same atomic step has ended the session. */
  | { readonly kind: 'reused'; readonly sub: string }
  | { readonly kind: 'ended'; readonly sub: string; readonly reason: EndReason; readonly endedAt: UnixMs }
  /** The session is past its idle limit or its absolute limit. */
  | { readonly kind: 'expired' }
  | { readonly kind: 'limit_reached' }
  /** The session exists, but the token is of another family. Nothing was changed. */
  | { readonly kind: 'forged' }
  /** The session never existed, or its record or tombstone has expired. */
  | { readonly kind: 'unknown' }

export interface EndRequest {
  readonly sid: Sid
  readonly reason: EndReason
  /** Ends the session only if its family has this hash. */
  readonly familyHash?: string | undefined
  /** Ends the session only if it belongs to this subject. */
  readonly sub?: string | undefined
  /**
   * The subject whose index contains the id. With it, a tombstone is written even if there is no record. This prevents
   * a login that is still in progress from storing its session afterwards.
   */
  readonly indexedFor?: string | undefined
  /** True if a token proves that the session has existed. With it, a tombstone is written even if there is no record. */
  readonly isProven?: boolean | undefined
  readonly tombstone: Milliseconds
  readonly now: UnixMs
}

export type EndOutcome =
  | { readonly kind: 'ended'; readonly sub: string }
  /** The session had ended before. `endedAt` is by the clock of the store. */
  | { readonly kind: 'already_ended'; readonly sub: string; readonly endedAt: UnixMs }
  /** The session exists, but `familyHash` or `sub` belongs to another one. Nothing was changed. */
  | { readonly kind: 'foreign' }
  | { readonly kind: 'unknown' }

export interface Cutoff {
  /** Default: now, by the clock of the store and with the tolerated difference of clocks. */
  readonly before: UnixMs | undefined
  readonly now: UnixMs
  /** The time after which no session that began by then can exist. */
  readonly ttl: Milliseconds
}

/** One id of a subject's index, with its record. */
export interface IndexedSession {
  readonly sid: Sid
  /** The score of the id in the index. See `latestEnd`. */
  readonly latestEnd: UnixMs
  /** `missing` if a login has not stored its record yet, or if the record has expired or was lost. */
  readonly state: 'stored' | 'ended' | 'missing'
  /** The record, if the state is `stored`. Its session may have expired a moment ago. */
  readonly session: Session | undefined
}

/** A place in a subject's index, which is ordered by latest end and id. */
export interface IndexPlace {
  readonly latestEnd: UnixMs
  readonly sid: Sid
}

/**
 * The store of sessions. The tombstone of an ended session stays as long as an access token of the session could live.
 * It lets a repeated logout find the session, and write the denylist entry again.
 *
 * A subject's index contains the ids of all its sessions. The id of an ended session stays in the index until
 * `unindex`. This lets "log out everywhere" find ended sessions whose denylist entry was never written.
 *
 * Every method throws a `store_unavailable` PortcullisError if the store is unreachable.
 */
export interface SessionStore {
  /**
   * Stores a new session. Its id is added to the subject's index first, so that no stored session is ever missing
   * there.
   *
   * @throws {PortcullisError} `store_unavailable`, also if the session was ended before it was stored
   */
  create(session: Session, secrets: SessionSecrets): Promise<void>
  /** Returns a session, or `undefined` if it has ended or has no record. It may have expired a moment ago. */
  read(sid: Sid): Promise<Session | undefined>
  /**
   * Returns the session of a refresh token, if the token is the current one of its family. Changes nothing.
   *
   * @param token The hashes of the presented token.
   */
  readCurrent(sid: Sid, token: SessionSecrets): Promise<Session | undefined>
  /** Uses up a refresh token, in one atomic step. */
  rotate(rotation: RotationRequest): Promise<RotationOutcome>
  /** Ends a session, in one atomic step. None of its refresh tokens works afterwards. */
  end(ending: EndRequest): Promise<EndOutcome>
  /** Counts the ids in the subject's index, including those of ended sessions. */
  count(sub: string): Promise<number>
  /** Returns all ids in the subject's index, including those of ended sessions. */
  sids(sub: string): Promise<Sid[]>
  /**
   * Returns up to `count` ids of the subject's index after a place, with their records, ordered by latest end and id.
   * A call without `after` first removes the ids whose access tokens have all expired.
   */
  indexed(sub: string, now: UnixMs, count: number, after?: IndexPlace): Promise<IndexedSession[]>
  /**
   * Stores the cutoff: no session that began at this time or earlier may be refreshed. Each rotation returns it. A later
   * cutoff is never replaced by an earlier one.
   */
  setCutoff(cutoff: Cutoff): Promise<void>
  /**
   * Records that an access token was revoked, for `ttl`. The denylist forgets that when the token has expired, but in the
   * single scheme an expired token can be renewed.
   */
  recordRevokedToken(jti: string, now: UnixMs, ttl: Milliseconds): Promise<void>
  isRecordedAsRevoked(jti: string, now: UnixMs): Promise<boolean>
  /** Returns the cutoff (see `setCutoff`), or `undefined` if there is none. */
  cutoff(): Promise<UnixMs | undefined>
  /** Removes ended sessions from their subject's index. Call it only after their denylist entries were written. */
  unindex(sub: string, sids: readonly Sid[]): Promise<void>
}

/**
 * The time that an id stays in the index after the latest end of its session. Access tokens expire no later than their
 * session, but they are admitted for `tokens.leeway` longer (at most 60 s). In addition, the clock that admits may be
 * 2 s behind the clock of Redis, and the clock that prunes may be 2 s ahead of it.
 */
export const INDEX_SLACK: Milliseconds = 65_000

/** The time that a record stays after its session has expired. A refresh in this time gets `expired`, not `unknown`. */
export const EXPIRY_SLACK: Milliseconds = 3_000

/**
 * Returns the score of a session in its subject's index: its absolute end, or the end of its idle time if it has no
 * absolute end. An absolute end never changes. The end of the idle time becomes later with each rotation.
 */
export function latestEnd(session: Session): UnixMs {
  return session.endsAt > 0 ? session.endsAt : session.expiresAt
}

/**
 * Returns true if a session must be entered in its index again after a rotation: without an absolute end, each
 * rotation moves the score of the session. In a new epoch, the index may be lost although the record isn't, if Redis lost
 * data between the two writes of the login. A retry within the grace enters the session again, too, in case the first
 * attempt failed between the two steps.
 */
export function mustIndexAgain(
  { session, former }: { session: Session; former: PreviousWrite },
  { jtiPrefix }: RotationRequest,
): boolean {
  return session.endsAt === 0 || former.jtiPrefix !== jtiPrefix
}
