/** The inputs and outputs of `Instance`, which is one instance's part in the protocol. */
import type { Milliseconds, UnixMs } from '../../clock.js'
import type { Barrier, BarrierState } from './revoke-barrier.js'
import type { CoveringKind } from '../denylist.js'
import type { LogSettings, SyncRequest } from './revocation-log.js'

/** The readings of both clocks of an instance. Only the wall clock advances while the machine is suspended. */
export interface Now {
  readonly monotonic: Milliseconds
  readonly wall: UnixMs
}

export type OnLostHistory = 'reject' | 'heal' | 'accept'

export interface InstanceSettings extends LogSettings {
  /** A random name, which is new at each start of the process. */
  readonly id: string
  readonly onLostHistory: OnLostHistory
  /** The number of entries per page, both of a sync and of entries that are published again. */
  readonly page: number
}

/** The state of an instance, for logs and metrics. Decisions depend only on the lease. */
export type State = 'OUT' | 'READING' | 'SETTLING' | 'LEASED' | 'LAPSED'

/** A sync that was sent. Its reply is evaluated against the state at the time of sending. */
export interface Sync {
  readonly request: SyncRequest
  readonly sent: Now
  /** The number of epochs that the instance had entered when the sync was sent. */
  readonly generation: number
  /** The state of each open barrier when the sync was sent. A barrier whose state has changed since then stays open. */
  readonly barriers: ReadonlyMap<Barrier, BarrierState>
}

/** The effect of a sync on the instance. */
export interface SyncOutcome {
  /** True if the sync granted a lease. */
  readonly granted: boolean
  /** True if another sync must follow at once, to acknowledge the entries of this page or to read the next one. */
  readonly again: boolean
  /** The number of entries that were applied. */
  readonly applied: number
  /** True if the reply was ignored because it comes from an epoch that the instance has left. */
  readonly isLeftEpoch: boolean
}

/** A decision from the replica. `no_lease` means that the instance may not decide now. */
export type Decision =
  | { readonly kind: 'admitted' }
  | { readonly kind: 'revoked'; readonly by: CoveringKind | 'history' }
  | { readonly kind: 'no_lease' }

/** Said on every request, so made once. */
export const ADMITTED: Decision = Object.freeze({ kind: 'admitted' })
export const NO_LEASE: Decision = Object.freeze({ kind: 'no_lease' })
