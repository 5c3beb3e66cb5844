import type { Clock, Milliseconds } from '../clock.js'
import type { Denylist } from '../revocation/denylist.js'
import type { CodeStore } from '../store/code-store.js'
import type { SessionStore } from '../store/session-store.js'
import type { AccessClaims } from '../token/access-token.js'
import type { RefreshTokenProof } from '../token/refresh-token-proof.js'
import type { RateBound } from '../rate-bound.js'
import type { RefreshChecks } from './refresh-check.js'
import type { SchemeName } from '../token/schemes.js'
import type { SecurityEvent } from './security-events.js'

/** The settings about sessions. Durations are in ms. */
export interface SessionSettings {
  readonly issuer: string
  readonly audience: string
  readonly scheme: SchemeName
  /** Lifetime of an access token (`tokens.access`). */
  readonly access: Milliseconds
  /** The part of the lifetime by which an access token may live shorter (`tokens.jitter`), from 0 to 0.25. */
  readonly jitter: number
  /** Maximum time between two rotations (`tokens.refresh`); 0 = no limit. */
  readonly refresh: Milliseconds
  /** Maximum time since the login (`tokens.absolute`); 0 = no limit. */
  readonly absolute: Milliseconds
  /** Maximum number of refreshes per session; 0 = no limit. */
  readonly refreshLimit: number
  /** The grace, in which a used refresh token yields the same successor again. */
  readonly reuseGrace: Milliseconds
  /** Lifetime of a tombstone. It must be at least as long as an access token of the ended session can live. */
  readonly tombstone: Milliseconds
  /** Maximum number of sessions per subject; 0 = no limit. */
  readonly perSubject: number
  /** Maximum number of sessions per device of a subject; 0 = no limit. */
  readonly perDevice: number
  /** The behaviour of a login that exceeds these limits: it ends the oldest session, or it fails. */
  readonly onLimit: 'evict-oldest' | 'refuse'
}

/** The settings of one-time codes (`codes`). */
export interface CodeSettings {
  /** Lifetime of a code. */
  readonly life: Milliseconds
  /** Lifetime of the access tokens of a session that a code began. */
  readonly access: Milliseconds
  /** Maximum time between two rotations of such a session. */
  readonly refresh: Milliseconds
}

/** The dependencies of login, refresh, logout and the session list. */
export interface SessionDependencies {
  readonly store: SessionStore
  /** The store and the settings of one-time codes. `undefined` if they are off. */
  readonly codes?: (CodeSettings & { readonly store: CodeStore }) | undefined
  readonly denylist: Denylist
  /** Returns the signed access token (a JWT) with these claims. */
  readonly sign: (claims: AccessClaims) => string
  /** Creates and checks the proofs in refresh tokens. */
  readonly proof: RefreshTokenProof
  /** Bounds what clients can cause with tokens of sessions that may not exist. */
  readonly bounds: {
    /** Look-ups of sessions that only a refresh token without a good proof names. */
    readonly unproven: RateBound
    /** Sessions without a record that are entered in the denylist, because a token proves that they existed. */
    readonly unknown: RateBound
  }
  /** Reads the user again at each exchange of a token. `undefined` if nothing is configured for that. */
  readonly refreshChecks?: RefreshChecks | undefined
  /** Returns true if the store has no room for new sessions. */
  readonly isFull: () => boolean
  readonly clock: Clock
  readonly settings: SessionSettings
  /** Logs a security event, with the id of the request that caused it, if any. */
  readonly emit: (event: SecurityEvent, requestId?: string) => void
}
