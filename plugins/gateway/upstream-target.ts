import { checkTarget } from '../../src/gateway/request-target.js'
import { rewriteTarget } from '../../src/gateway/rewrite-target.js'
import type { Admission } from '../../src/token/admission.js'
import { withoutQueryTokens } from '../../src/token/query-token.js'
import { targetRefused } from './gate.js'
import type { GateRoute } from './gate.js'

/**
 * Returns the request target for the upstream: without a token of ours, and with `rewritePrefix`.
 *
 * @throws {PortcullisError} `target_refused` if the rewritten target could name a host
 */
export function upstreamTarget(
  isOwnToken: (token: string) => boolean,
  route: GateRoute,
  raw: string,
  { transport }: Admission,
): string {
  const { path, rewritePrefix, targetAllow, forwardToken } = route
  const target = forwardToken ? raw : withoutQueryTokens(raw, transport === 'query' ? undefined : isOwnToken)
  if (rewritePrefix === undefined) return target
  const rewritten = rewriteTarget(target, path, rewritePrefix)
  // A target that `targetAllow` lets pass may begin with `//` after the rewrite, and name a host.
  const checked =
    targetAllow.length > 0 &&
    checkTarget(rewritten, { target: Number.POSITIVE_INFINITY, allowed: new Set(targetAllow) })
  if (checked && !checked.ok && !checked.lax) throw targetRefused(checked.reason)
  return rewritten
}
