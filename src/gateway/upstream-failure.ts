import type { ErrorCode } from '../errors.js'
import { ConnectFailure, UPSTREAM_RESET } from './upstream-socket.js'

export interface UpstreamFailure {
  readonly error: ErrorCode
  /** For the log: a code, without addresses. */
  readonly reason: string
}

const TIMEOUTS = new Set([
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'ETIMEDOUT',
])
const LOST = new Set(['UND_ERR_SOCKET', 'ECONNRESET', UPSTREAM_RESET, 'EPIPE'])

/** What an error of undici, its parser, or the network means to the client: 504 or 502. */
export function upstreamFailure(error: Error): UpstreamFailure {
  const reason = reasonOf(error)
  return { error: TIMEOUTS.has(reason) ? 'upstream_timeout' : 'upstream_unavailable', reason }
}

/** Whether a connection that stood was lost, rather than never made or misused. */
export function isLostConnection(error: Error): boolean {
  return LOST.has(reasonOf(error)) && !(error instanceof ConnectFailure)
}

/** Whether a request that was sent met with silence: that of a server which is gone, or hangs. */
export function isMiss(error: Error): boolean {
  return isLostConnection(error) || TIMEOUTS.has(reasonOf(error))
}

function reasonOf(error: Error): string {
  if (error instanceof ConnectFailure) return error.reason
  const { code } = error as NodeJS.ErrnoException
  return typeof code === 'string' ? code : error.name
}
