import type { ErrorCode } from '../../errors.js'

/**
 * - `unreachable`: no connection could be made. Nothing was sent.
 * - `lost`: an open connection has ended.
 * - `late`: a timeout has passed.
 * - `broken`: the response is invalid, or two parsers could read it differently. Or the request can't be sent safely.
 */
type Kind = 'unreachable' | 'lost' | 'late' | 'broken'

/** The reason of an `unreachable` error after a connect timeout. */
export const CONNECT_TIMEOUT = 'connect_timeout'

/** An error on the connection to an upstream. */
export class UpstreamError extends Error {
  override readonly name = 'UpstreamError'
  readonly kind: Kind
  /** A code for the log, from this gateway, the operating system or TLS. Contains no address. */
  readonly reason: string

  constructor(kind: Kind, reason: string, cause?: unknown) {
    super(`${kind}: ${reason}`, { cause })
    this.kind = kind
    this.reason = reason
  }

  /** The error code for the client, with status 504 or 502. */
  get code(): ErrorCode {
    return this.kind === 'late' || this.reason === CONNECT_TIMEOUT
      ? 'upstream_timeout'
      : 'upstream_unavailable'
  }

  /** True if the upstream server seems to have crashed or to hang, because a request got no response. */
  get isMiss(): boolean {
    return this.kind === 'lost' || this.kind === 'late'
  }
}
