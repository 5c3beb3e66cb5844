import { toSeconds } from '../clock.js'
import type { Milliseconds, UnixMs } from '../clock.js'
import { storeUnavailable } from '../errors.js'
import type { DenialReason, RevocableToken, TokenStamp } from './denylist.js'

/** The time between two attempts to get a stamp that no entry covers. */
const POLLING_INTERVAL: Milliseconds = 100

/**
 * Returns a stamp for a new token that no denylist entry covers. A recent entry of kind `sub`, `all` or `lost` may
 * cover tokens that are issued now. In this case the function waits until `iat` is later than the entry's `before`.
 *
 * @throws {PortcullisError} `store_unavailable` if the new token would be refused for any other reason
 */
export async function stampPastDenials(
  take: () => { wall: UnixMs; mark: string },
  check: (token: RevocableToken) => DenialReason | undefined | Promise<DenialReason | undefined>,
  sub = '',
): Promise<TokenStamp> {
  for (;;) {
    const { wall, mark } = take()
    const stamp = { issuedAt: toSeconds(wall), mark }
    const denial = await check({
      jti: mark,
      sid: '',
      sub,
      kid: '',
      iat: stamp.issuedAt,
    })
    if (denial === undefined) return stamp
    if (denial !== 'sub' && denial !== 'all' && denial !== 'lost')
      throw storeUnavailable(`a token issued now would be refused (${denial})`)
    await new Promise((resolve) => setTimeout(resolve, POLLING_INTERVAL))
  }
}
