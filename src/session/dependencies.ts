import type { Clock, Milliseconds } from '../clock.js'
import type { Denylist } from '../revocation/denylist.js'
import type { SessionStore } from '../store/session-store.js'
import type { AccessClaims } from '../token/access-token.js'
import type { SecurityEvent } from './security-events.js'

/** The part of the configuration that rules sessions; durations in ms, 0 = no limit where that makes sense. */
export interface SessionSettings {
  readonly issuer: string
  readonly audience: string
  /** Life of an access token. */
  readonly access: Milliseconds
  /** Idle limit: since the last rotation. */
  readonly refresh: Milliseconds
  /** Since the login. */
  readonly absolute: Milliseconds
  readonly refreshLimit: number
  readonly reuseGrace: Milliseconds
  /** How long the mark of an ended session must stay: as long as an access token of it could live. */
  readonly tombstone: Milliseconds
  readonly perSubject: number
  readonly perDevice: number
  readonly onLimit: 'evict-oldest' | 'refuse'
}

/** What the behaviours work with. */
export interface SessionDependencies {
  readonly store: SessionStore
  readonly denylist: Denylist
  /** Signs an access token. */
  readonly sign: (claims: AccessClaims) => string
  readonly clock: Clock
  readonly settings: SessionSettings
  readonly emit: (event: SecurityEvent) => void
}
