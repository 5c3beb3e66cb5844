import type { Milliseconds, UnixMs } from '../../clock.js'
import type { DenylistEntry, Position, NewEntry } from '../entry.js'

/**
 * An instance that revokes wait for: its id, the version of its last sync, and the position up to which it has applied
 * the log.
 */
export interface Member {
  readonly id: string
  readonly version: number
  readonly applied: Position
}

export interface SyncRequest {
  /** The id of the instance, or '' for a tool that admits no requests and so isn't a member. */
  readonly instance: string
  readonly epoch: string
  readonly applied: Position
  /** The number of entries per page. */
  readonly count: number
  /** True to mark the epoch as settled: no lease of an earlier epoch is left, and lost entries were published again. */
  readonly settle: boolean
  readonly vouch: Vouch | undefined
  /** Members whose leases have ended. They are removed unless their version has changed. */
  readonly dead: readonly { readonly id: string; readonly version: number }[]
  /** True if the reply must list the members. */
  readonly who: boolean
}

/**
 * The history for which an instance that survived a loss of data knows all entries. It consists of everything after
 * `since`, and of everything that was issued in an epoch with one of these jti prefixes.
 */
export interface Vouch {
  readonly since: UnixMs
  readonly epochPrefixes: readonly string[]
}

export interface SyncReply {
  readonly epoch: string
  readonly settled: boolean
  readonly since: UnixMs
  readonly epochPrefixes: readonly string[]
  /** The clock of Redis. */
  readonly time: UnixMs
  readonly entries: readonly DenylistEntry[]
  /** The position of the last row of the page, including markers of epochs. `undefined` if the page is empty. */
  readonly last: Position | undefined
  /** True if the log has further entries after this page. */
  readonly more: boolean
  readonly members: readonly Member[]
  /** True if the required number of Redis replicas has all data (`WAIT`). */
  readonly waitOk: boolean
}

export interface RevokeReply {
  readonly epoch: string
  /** The position of the last entry that was written, or the start of the log if none was. */
  readonly position: Position
  readonly members: readonly {
    readonly id: string
    readonly version: number
  }[]
}

/** The settings that all instances of one log share. */
export interface LogSettings {
  /** L: the duration of a lease. */
  readonly lease: Milliseconds
  /** H: the longest lifetime (`exp − iat`) of an access token that is accepted. */
  readonly horizon: Milliseconds
  /** τ: the greatest accepted difference between a wall clock and the clock of Redis. */
  readonly tolerance: Milliseconds
  /** λ: the leeway when `exp` is checked. */
  readonly leeway: Milliseconds
}

/** Returns m, the margin for clocks that run at different rates. */
export function leaseMargin({ lease }: Pick<LogSettings, 'lease'>): Milliseconds {
  return lease / 10
}

/** Returns W = L + m, the time after which every lease that was granted before has ended, on any clock. */
export function leaseLapse(settings: Pick<LogSettings, 'lease'>): Milliseconds {
  return settings.lease + leaseMargin(settings)
}

/** Returns G, the time that an entry outlives its token. */
export function entryGrace({ leeway, tolerance }: Pick<LogSettings, 'leeway' | 'tolerance'>): Milliseconds {
  return leeway + 3 * tolerance
}

/**
 * Returns the latest `iat` that a token may have, for an instance that knows only its own clock. The clock that issued
 * the token may be τ ahead of Redis, and the own clock may be τ behind it.
 */
export function latestIssueByOwnClock(wall: UnixMs, tolerance: Milliseconds): UnixMs {
  return wall + 2 * tolerance
}

/** The revocation log: one Redis stream and its state. Every method rejects if the log is unavailable. */
export interface RevocationLog {
  /** Renews the membership of an instance, acknowledges what it has applied, and reads the next page. */
  sync(request: SyncRequest, wall: UnixMs): Promise<SyncReply>
  /** Writes entries to the log and to the denylist keys. */
  revoke(entries: readonly NewEntry[], wall: UnixMs): Promise<RevokeReply>
  /** Publishes entries of an earlier epoch's log again, as one row. Their denylist keys are written by `deny`. */
  publish(entries: readonly DenylistEntry[], wall: UnixMs): Promise<RevokeReply>
  /** Writes the denylist keys of entries that were published again. People and other programs read these keys. */
  deny(entries: readonly DenylistEntry[], reason: string): Promise<void>
  /** Removes an instance from the members, so that no revoke waits for it. */
  leave(instance: string): Promise<void>
}
