import { toSeconds } from '../clock.js'
import type { Milliseconds, UnixMs } from '../clock.js'
import { storeUnavailable } from '../errors.js'
import type { RevocationReason, RevocableToken, TokenStamp } from './denylist.js'

/** The time between two attempts to get a stamp that no entry covers. */
const POLLING_INTERVAL: Milliseconds = 100

/** A stamp, and the reason why a token with it would be refused now; `undefined` if it would be admitted. */
export interface StampAttempt {
  readonly stamp: TokenStamp
  readonly reason: RevocationReason | undefined
}

/** A stamp by the clock reading `wall`, and what a denylist needs of a token that is about to get it. */
export function createStamp(
  wall: UnixMs,
  jtiPrefix: string,
  sub: string,
): { stamp: TokenStamp; token: RevocableToken } {
  const stamp = { issuedAt: toSeconds(wall), jtiPrefix }
  return { stamp, token: { jti: jtiPrefix, sid: '', sub, kid: '', iat: stamp.issuedAt } }
}

/**
 * Returns a stamp for a new token that no denylist entry covers. A recent entry of kind `sub`, `all` or `lost` may
 * cover tokens that are issued now. In this case the function waits until `iat` is later than the entry's `before`.
 *
 * @throws {PortcullisError} `store_unavailable` if the new token would be refused for any other reason
 */
export async function waitForStamp(attempt: () => StampAttempt | Promise<StampAttempt>): Promise<TokenStamp> {
  for (;;) {
    const { stamp, reason } = await attempt()
    if (reason === undefined) return stamp
    if (reason !== 'sub' && reason !== 'all' && reason !== 'lost')
      throw storeUnavailable(`a token issued now would be refused (${reason})`)
    await new Promise((resolve) => setTimeout(resolve, POLLING_INTERVAL))
  }
}
