import type { Milliseconds, UnixMs } from '../../clock.js'
import type { EntryKind, DenylistEntry, Position } from '../entry.js'

/** A member of the log: an instance, the version of its last sync, and up to where it has applied everything. */
export interface Member {
  readonly id: string
  readonly version: number
  readonly applied: Position
}

export interface SyncRequest {
  /** '' for a tool that serves no traffic. */
  readonly instance: string
  readonly epoch: string
  readonly applied: Position
  /** Entries a page. */
  readonly count: number
  readonly settle: boolean
  readonly vouch: Vouch | undefined
  /** Members to take out of the log, if their version is still this one. */
  readonly dead: readonly { readonly id: string; readonly version: number }[]
  /** Whether the reply is to name the members. */
  readonly who: boolean
}

/**
 * What a survivor knows of the time before an epoch: nothing that was issued after `since`, or bears a mark, is
 * unknown.
 */
export interface Vouch {
  readonly since: UnixMs
  readonly marks: readonly string[]
}

export interface SyncReply {
  readonly epoch: string
  readonly settled: boolean
  readonly since: UnixMs
  readonly marks: readonly string[]
  /** The clock of Redis. */
  readonly time: UnixMs
  readonly entries: readonly DenylistEntry[]
  /** The place of the last of `entries`, markers included; undefined for an empty page. */
  readonly last: Position | undefined
  readonly more: boolean
  readonly members: readonly Member[]
  /** Whether as many replicas as are wanted have it all (`WAIT`). */
  readonly waitOk: boolean
}

/**
 * What is to be denied; `before: 'now'` is the time of Redis plus τ, `until: undefined` as long as anything can live.
 * `before: 'birth'`, of `lost` entries, is the beginning of the epoch plus 3τ: the log puts the epoch's mark before the
 * id, and leaves the entry out once it can't cover a live token.
 */
export interface NewEntry {
  readonly kind: EntryKind
  readonly id: string
  readonly before: UnixMs | 'now' | 'birth'
  readonly until: UnixMs | undefined
  readonly reason: string
}

export interface RevokeReply {
  readonly epoch: string
  /** The place of its last entry; the start of the log if none was written. */
  readonly position: Position
  readonly members: readonly {
    readonly id: string
    readonly version: number
  }[]
}

/** The settings that one log's instances share. */
export interface LogSettings {
  /** L: how long a lease lasts. */
  readonly lease: Milliseconds
  /** H: the longest `exp − iat` that is accepted. */
  readonly horizon: Milliseconds
  /** τ: how far a wall clock may be from that of Redis. */
  readonly tolerance: Milliseconds
  /** λ: leeway in checking `exp`. */
  readonly leeway: Milliseconds
}

/** m: the margin for clocks whose rates differ. */
export function leaseMargin({ lease }: Pick<LogSettings, 'lease'>): Milliseconds {
  return lease / 10
}

/** W = L + m: after this, on any clock, a lease that was granted before has lapsed. */
export function leaseLapse(settings: Pick<LogSettings, 'lease'>): Milliseconds {
  return settings.lease + leaseMargin(settings)
}

/** G: what an entry outlives its token by. */
export function entryGrace({ leeway, tolerance }: Pick<LogSettings, 'leeway' | 'tolerance'>): Milliseconds {
  return leeway + 3 * tolerance
}

/**
 * The latest `iat` that a token may have where only the own clock is known: the minter's may be τ ahead of Redis's, and
 * the own one τ behind it.
 */
export function latestIssueByOwnClock(wall: UnixMs, tolerance: Milliseconds): UnixMs {
  return wall + 2 * tolerance
}

/** The log of revocations: one Redis stream and its state, or what stands in for it. Every method may reject. */
export interface RevocationLog {
  sync(request: SyncRequest, wall: UnixMs): Promise<SyncReply>
  revoke(entries: readonly NewEntry[], wall: UnixMs): Promise<RevokeReply>
  /** Writes entries again that an earlier epoch's log had; one row of the log for all. Their denylist keys come later. */
  publish(entries: readonly DenylistEntry[], wall: UnixMs): Promise<RevokeReply>
  /** Writes the denylist keys of entries that were published again. They are for people and other programs. */
  deny(entries: readonly DenylistEntry[], reason: string): Promise<void>
  leave(instance: string): Promise<void>
}
