import { toSeconds } from '../clock.js'
import type { Milliseconds, UnixMs } from '../clock.js'
import { storeUnavailable } from '../errors.js'
import type { DenialReason, RevocableToken, TokenStamp } from './denylist.js'

/** Between two looks at whether a new token would still be denied. */
const POLLING_INTERVAL: Milliseconds = 100

/**
 * A stamp that no denial covers: where a `sub` or `all` entry of the last seconds would deny the new token, too, it
 * waits until the second is past.
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
      throw storeUnavailable(`tokens of now are denied (${denial})`)
    await new Promise((resolve) => setTimeout(resolve, POLLING_INTERVAL))
  }
}
