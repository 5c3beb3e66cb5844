/** What goes into and comes out of an instance's part in the protocol (instance.ts). */
import type { Milliseconds, UnixMs } from '../../clock.js'
import type { Barrier, BarrierState } from './barrier.js'
import type { EntryKind } from '../entry.js'
import type { LogSettings, SyncRequest } from './revocation-log.js'

/** The two clocks of an instance. The wall clock catches a machine that was suspended. */
export interface Now {
  readonly monotonic: Milliseconds
  readonly wall: UnixMs
}

export type OnLostHistory = 'reject' | 'heal' | 'accept'

export interface InstanceSettings extends LogSettings {
  /** Random, and made anew at every start. */
  readonly id: string
  readonly onLostHistory: OnLostHistory
  /** Entries a page of a sync, and of what is published again. */
  readonly page: number
}

/** Names for people and metrics; what admits is the lease alone. */
export type State = 'OUT' | 'READING' | 'SETTLING' | 'LEASED' | 'LAPSED'

/** A sync under way. What is noted of its sending decides what its reply is worth. */
export interface Sync {
  readonly request: SyncRequest
  readonly sent: Now
  /** How many epochs the instance had entered by then. */
  readonly generation: number
  /** The revokes under way then, and what each waited for: only what is sent later can close a barrier. */
  readonly barriers: ReadonlyMap<Barrier, BarrierState>
}

export interface SyncOutcome {
  readonly granted: boolean
  /** The page brought entries, or isn't the last: acknowledge it, or read on, at once. */
  readonly again: boolean
  readonly applied: number
}

export type Decision =
  | { readonly kind: 'admitted' }
  | { readonly kind: 'denied'; readonly by: EntryKind | 'history' }
  | { readonly kind: 'no_lease' }

/** Said on every request, so made once. */
export const ADMITTED: Decision = Object.freeze({ kind: 'admitted' })
export const NO_LEASE: Decision = Object.freeze({ kind: 'no_lease' })
