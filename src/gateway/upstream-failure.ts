import type { ForwardError } from './forward.js'
import { UPSTREAM_RESET } from './upstream-socket.js'

export interface UpstreamFailure {
  readonly error: ForwardError
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
  const reason = codeOf(error) ?? error.name
  return { error: TIMEOUTS.has(reason) ? 'upstream_timeout' : 'upstream_unavailable', reason }
}

/** Whether a connection that stood was lost, rather than never made or misused. */
export function isLostConnection(error: Error): boolean {
  return LOST.has(codeOf(error) ?? '')
}

function codeOf(error: Error): string | undefined {
  const { code } = error as NodeJS.ErrnoException
  return typeof code === 'string' ? code : undefined
}
