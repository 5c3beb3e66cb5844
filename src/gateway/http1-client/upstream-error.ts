import type { ErrorCode } from '../../errors.js'

/**
 * - `unreachable`: no connection could be made; nothing was sent.
 * - `lost`: a connection that stood has ended.
 * - `late`: nothing came in time.
 * - `broken`: what came is no answer, or can be read in more than one way.
 */
type Kind = 'unreachable' | 'lost' | 'late' | 'broken'

/** The reason of an `unreachable` that comes from waiting. */
export const CONNECT_TIMEOUT = 'connect_timeout'

/** What went wrong between this gateway and an upstream. */
export class UpstreamError extends Error {
  override readonly name = 'UpstreamError'
  readonly kind: Kind
  /** For the log: a code of ours, of the system or of TLS, without addresses. */
  readonly reason: string

  constructor(kind: Kind, reason: string, cause?: unknown) {
    super(`${kind}: ${reason}`, { cause })
    this.kind = kind
    this.reason = reason
  }

  /** What the client is told: 504 or 502. */
  get code(): ErrorCode {
    return this.kind === 'late' || this.reason === CONNECT_TIMEOUT
      ? 'upstream_timeout'
      : 'upstream_unavailable'
  }

  /** Whether a request that was sent met with silence: that of a server which is gone, or hangs. */
  get isMiss(): boolean {
    return this.kind === 'lost' || this.kind === 'late'
  }
}
