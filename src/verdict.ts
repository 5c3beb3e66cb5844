/**
 * THE one place that decides whether an access token is good. Every gate calls it. In order: shape, signature, claims,
 * revocation; the first that fails is the reason.
 */
import type { Clock, UnixSeconds } from './clock.js'
import { Refusal } from './errors.js'
import type { Denial, Revocation } from './revocation/port.js'
import { judgeClaims, selectKey } from './token/access-token.js'
import type { AccessClaims, ClaimRules, KeyVerifier } from './token/access-token.js'

/** Who a request is from: what `request.auth` holds. */
export interface Auth {
  readonly sub: string
  readonly sid: string
  readonly jti: string
  readonly scope: readonly string[]
  readonly issuedAt: UnixSeconds
  readonly expiresAt: UnixSeconds
  readonly claims: AccessClaims
}

export interface VerdictPorts {
  readonly keys: ReadonlyMap<string, KeyVerifier>
  readonly revocation: Revocation
  readonly clock: Clock
  readonly rules: ClaimRules
}

export class Verdict {
  readonly #ports: VerdictPorts

  constructor(ports: VerdictPorts) {
    this.#ports = ports
  }

  /**
   * Who the token speaks for. Returns at once where the denylist needn't ask a store, else a promise.
   *
   * @throws {Refusal} (or rejects with it) `token_malformed`, `token_invalid`, `token_expired`, `token_revoked`,
   *   `session_ended`; `store_unavailable` where the denylist can't be asked.
   */
  judge(token: string): Auth | Promise<Auth> {
    const { claims, expired } = this.recognise(token)
    if (expired) throw new Refusal('token_expired')
    const denial = this.#ports.revocation.check(claims)
    return denial instanceof Promise ? denial.then((late) => admit(claims, late)) : admit(claims, denial)
  }

  /**
   * The claims of a token that is ours, whether it has expired or not and whatever was revoked. For a logout.
   *
   * @throws {Refusal} `token_malformed`, `token_invalid`
   */
  recognise(token: string): { claims: AccessClaims; expired: boolean } {
    const { keys, rules, clock } = this.#ports
    const key = selectKey(token, keys)
    let payload: Record<string, unknown>
    try {
      payload = key.verify(token)
    } catch (error) {
      throw new Refusal('token_invalid', { reason: (error as Error).message })
    }
    return judgeClaims(payload, rules, clock.now())
  }
}

function admit(claims: AccessClaims, denial: Denial | undefined): Auth {
  if (denial !== undefined) {
    throw new Refusal(denial === 'sid' ? 'session_ended' : 'token_revoked', { reason: denial })
  }
  return {
    sub: claims.sub,
    sid: claims.sid,
    jti: claims.jti,
    scope: claims.scope === undefined || claims.scope === '' ? [] : claims.scope.split(' '),
    issuedAt: claims.iat,
    expiresAt: claims.exp,
    claims,
  }
}
