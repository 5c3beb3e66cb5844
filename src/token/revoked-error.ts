/** The errors of tokens that the denylist covers. */
import { PortcullisError } from '../errors.js'
import type { RevocationReason } from '../revocation/denylist.js'

/**
 * Throws if the denylist covers a token.
 *
 * @throws {PortcullisError} `token_revoked`, `session_ended`, `signed_in_elsewhere`, `history_lost`
 */
export function throwIfRevoked(reason: RevocationReason | undefined): void {
  if (reason !== undefined) throw new PortcullisError(toErrorCode(reason), { reason })
}

/** Returns the error code for a revoked token. Clients get only this code. The exact kind of entry is in the log. */
export function toErrorCode(
  reason: RevocationReason,
): 'session_ended' | 'signed_in_elsewhere' | 'history_lost' | 'token_revoked' {
  if (reason === 'history') return 'history_lost'
  if (reason === 'evicted') return 'signed_in_elsewhere'
  return reason === 'sid' || reason === 'absent' ? 'session_ended' : 'token_revoked'
}
