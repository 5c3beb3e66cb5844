/**
 * THE one place that decides whether an access token is good. Every gate calls it. In order: shape, signature, claims,
 * revocation; the first that fails is the reason.
 */
import type { Clock, UnixSeconds } from './clock.js'
import type { Explanation, ExplainStep } from './contract.js'
import { Refusal } from './errors.js'
import type { ErrorCode } from './errors.js'
import type { Denial, OnOutage, Revocable, Revocation } from './revocation/port.js'
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
    return this.#ask(this.#live(token))
  }

  /**
   * As `judge`, where a route prefers less certainty to none: when the denylist can't be asked, by what `onOutage` says.
   * `outage` of the result is how the token was admitted then.
   */
  async judgeOr(token: string, onOutage: OnOutage): Promise<{ auth: Auth; outage?: 'stale' | 'open' }> {
    const live = this.#live(token)
    try {
      return { auth: await this.#ask(live) }
    } catch (error) {
      if (onOutage === 'closed' || !(error instanceof Refusal) || error.code !== 'store_unavailable')
        throw error
      const verdict = this.#ports.revocation.checkInOutage(live.revocable, onOutage)
      if (!verdict) throw error
      return { auth: admit(live.claims, verdict.denial), outage: verdict.outage }
    }
  }

  /** A token of ours that hasn't expired. */
  #live(token: string): LiveToken {
    const { claims, kid, expired } = this.recognise(token)
    refuseIf(expired, 'token_expired')
    return { claims, revocable: revocableOf(claims, kid) }
  }

  /** The last step: the denylist. */
  #ask({ claims, revocable }: LiveToken): Auth | Promise<Auth> {
    const denial = this.#ports.revocation.check(revocable)
    return denial instanceof Promise ? denial.then((late) => admit(claims, late)) : admit(claims, denial)
  }

  /** What `judge` would decide, step by step, for people. */
  async explain(token: string): Promise<Explanation> {
    const { keys, rules, clock, revocation } = this.#ports
    const steps: ExplainStep[] = []
    let claims: AccessClaims | undefined
    const run = async <T>(step: ExplainStep['step'], work: () => T): Promise<Awaited<T>> => {
      try {
        const result = await work()
        steps.push({ step, ok: true })
        return result
      } catch (error) {
        const { code, reason = code } = error as Refusal
        steps.push({ step, ok: false, reason })
        throw error
      }
    }
    try {
      const key = await run('shape', () => selectKey(token, keys))
      const payload = await run('signature', () => verifyWith(key, token))
      const judged = await run('claims', () => judgeClaims(payload, rules, clock.now()))
      claims = judged.claims
      await run('expiry', () => refuseIf(judged.expired, 'token_expired'))
      await run('revocation', async () => {
        admit(judged.claims, await revocation.check(revocableOf(judged.claims, key.kid)))
      })
      return { admitted: true, steps, claims }
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      return { admitted: false, code: error.code, steps, ...(claims && { claims }) }
    }
  }

  /**
   * The claims of a token that is ours, whether it has expired or not and whatever was revoked. For a logout.
   *
   * @throws {Refusal} `token_malformed`, `token_invalid`
   */
  recognise(token: string): {
    claims: AccessClaims
    kid: string
    expired: boolean
  } {
    const { keys, rules, clock } = this.#ports
    const key = selectKey(token, keys)
    return { ...judgeClaims(verifyWith(key, token), rules, clock.now()), kid: key.kid }
  }
}

interface LiveToken {
  readonly claims: AccessClaims
  readonly revocable: Revocable
}

function revocableOf({ jti, sid, sub, iat }: AccessClaims, kid: string): Revocable {
  return { jti, sid, sub, iat, kid }
}

function verifyWith(key: KeyVerifier, token: string): Record<string, unknown> {
  try {
    return key.verify(token)
  } catch (error) {
    throw new Refusal('token_invalid', { reason: (error as Error).message })
  }
}

function refuseIf(isWrong: boolean, code: ErrorCode): void {
  if (isWrong) throw new Refusal(code)
}

function admit(claims: AccessClaims, denial: Denial | undefined): Auth {
  if (denial !== undefined) {
    throw new Refusal(denial === 'sid' ? 'session_ended' : 'token_revoked', {
      reason: denial,
    })
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
