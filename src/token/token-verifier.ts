/**
 * THE one place that decides whether an access token is good. Every gate calls it. In order: shape, signature, claims,
 * revocation; the first that fails is the reason.
 */
import type { Clock, UnixSeconds } from '../clock.js'
import type { Explanation, ExplainStep } from '../contract.js'
import { PortcullisError } from '../errors.js'
import type { ErrorCode } from '../errors.js'
import type { DenialReason, OnOutage, RevocableToken, Denylist } from '../revocation/denylist.js'
import { verifyClaims, selectKey } from './access-token.js'
import type { AccessClaims, ClaimSettings, KeyVerifier } from './access-token.js'
import { ownCopy } from './verified-cache.js'
import type { VerifiedCache } from './verified-cache.js'

/**
 * Who a request is from: what `request.auth` holds. Requests with the same token share one, frozen through and
 * through.
 */
export interface Auth {
  readonly sub: string
  readonly sid: string
  readonly jti: string
  readonly scope: readonly string[]
  readonly issuedAt: UnixSeconds
  readonly expiresAt: UnixSeconds
  readonly claims: AccessClaims
}

export interface TokenVerifierDependencies {
  /** By `kid`. What a key signed that isn't among them any more is refused from then on. */
  readonly keys: ReadonlyMap<string, KeyVerifier>
  /** What needn't be verified again. It stands before the signature, never before the denylist. */
  readonly verified: VerifiedCache<VerifiedToken>
  readonly denylist: Denylist
  readonly clock: Clock
  readonly settings: ClaimSettings
}

export class TokenVerifier {
  readonly #ports: TokenVerifierDependencies

  constructor(ports: TokenVerifierDependencies) {
    this.#ports = ports
  }

  /**
   * Who the token speaks for. Returns at once where the denylist needn't ask a store, else a promise.
   *
   * @throws {PortcullisError} (or rejects with it) `token_malformed`, `token_invalid`, `token_expired`, `token_revoked`,
   *   `session_ended`; `store_unavailable` where the denylist can't be asked.
   */
  verifyToken(token: string): Auth | Promise<Auth> {
    return this.#ask(this.#remembered(token) ?? this.#live(token))
  }

  /**
   * As `verifyToken`, where a route prefers less certainty to none: when the denylist can't be asked, by what `onOutage`
   * says. `outage` of the result is how the token was admitted then.
   */
  async verifyTokenInOutage(
    token: string,
    onOutage: OnOutage,
  ): Promise<{ auth: Auth; outage?: 'stale' | 'open' }> {
    const live = this.#remembered(token) ?? this.#live(token)
    try {
      return { auth: await this.#ask(live) }
    } catch (error) {
      if (onOutage === 'closed' || !(error instanceof PortcullisError) || error.code !== 'store_unavailable')
        throw error
      const verdict = this.#ports.denylist.checkInOutage(live, onOutage)
      if (!verdict) throw error
      return { auth: admit(live, verdict.denial), outage: verdict.outage }
    }
  }

  /** A token that was found to be ours before, and hasn't expired since. */
  #remembered(token: string): VerifiedToken | undefined {
    const { keys, verified, clock, settings } = this.#ports
    const known = verified.get(token)
    if (known === undefined) return undefined
    const isLive = clock.now() < known.exp * 1000 + settings.leeway
    if (isLive && keys.get(known.kid) === known.key) return known
    verified.delete(known)
    return undefined
  }

  /** A token of ours that hasn't expired. */
  #live(token: string): VerifiedToken {
    const { verified } = this.#ports
    const { claims, key, expired } = this.decodeOwnToken(token)
    refuseIf(expired, 'token_expired')
    const auth = freeze(toAuth(claims, key.kid))
    const live = { token: ownCopy(token), ...toRevocableToken(auth), exp: claims.exp, key, auth }
    verified.set(live)
    return live
  }

  /** The last step: the denylist. */
  #ask(live: VerifiedToken): Auth | Promise<Auth> {
    const denial = this.#ports.denylist.check(live)
    return denial instanceof Promise ? denial.then((late) => admit(live, late)) : admit(live, denial)
  }

  /** What `verifyToken` would decide, step by step, for people. */
  async explain(token: string): Promise<Explanation> {
    const { keys, settings, denylist } = this.#ports
    const steps: ExplainStep[] = []
    let claims: AccessClaims | undefined
    const run = async <T>(step: ExplainStep['step'], work: () => T): Promise<Awaited<T>> => {
      try {
        const result = await work()
        steps.push({ step, ok: true })
        return result
      } catch (error) {
        const { code, reason = code } = error as PortcullisError
        steps.push({ step, ok: false, reason })
        throw error
      }
    }
    try {
      const key = await run('shape', () => selectKey(token, keys))
      const payload = await run('signature', () => verifyWith(key, token))
      const judged = await run('claims', () => verifyClaims(payload, settings, this.#times()))
      claims = judged.claims
      await run('expiry', () => refuseIf(judged.expired, 'token_expired'))
      await run('revocation', async () => {
        const auth = toAuth(judged.claims, key.kid)
        refuseDenied(await denylist.check(toRevocableToken(auth)))
      })
      return { admitted: true, steps, claims }
    } catch (error) {
      if (!(error instanceof PortcullisError)) throw error
      return { admitted: false, code: error.code, steps, ...(claims && { claims }) }
    }
  }

  /**
   * The claims of a token that is ours, whether it has expired or not and whatever was revoked. For a logout.
   *
   * @throws {PortcullisError} `token_malformed`, `token_invalid`
   */
  decodeOwnToken(token: string): {
    claims: AccessClaims
    key: KeyVerifier
    expired: boolean
  } {
    const { keys, settings } = this.#ports
    const key = selectKey(token, keys)
    return { ...verifyClaims(verifyWith(key, token), settings, this.#times()), key }
  }

  #times() {
    const { clock, denylist } = this.#ports
    return { now: clock.now(), latestIssue: denylist.latestIssue() }
  }
}

/** A good token, as long as it isn't denied. One object has all that is looked at on each request. */
export interface VerifiedToken extends RevocableToken {
  readonly token: string
  readonly exp: UnixSeconds
  readonly key: KeyVerifier
  readonly auth: Auth
}

/**
 * What a look-up in the denylist needs of who a request is from.
 *
 * @throws {TypeError} for a copy: it doesn't know which key signed the token
 */
export function toRevocableToken(auth: Auth): RevocableToken {
  const { jti, sid, sub, issuedAt } = auth
  const kid = (auth as { [KID]?: string })[KID]
  if (kid === undefined)
    throw new TypeError('auth: give what the verdict gave (request.auth), not a copy of it')
  return { jti, sid, sub, iat: issuedAt, kid }
}

function verifyWith(key: KeyVerifier, token: string): Record<string, unknown> {
  try {
    return key.verify(token)
  } catch (error) {
    throw new PortcullisError('token_invalid', { reason: (error as Error).message })
  }
}

function refuseIf(isWrong: boolean, code: ErrorCode): void {
  if (isWrong) throw new PortcullisError(code)
}

function admit({ auth }: VerifiedToken, denial: DenialReason | undefined): Auth {
  refuseDenied(denial)
  return auth
}

function refuseDenied(denial: DenialReason | undefined): void {
  if (denial !== undefined) throw new PortcullisError(toErrorCode(denial), { reason: denial })
}

/** What is told outside of why a token is denied. */
export function toErrorCode(denial: DenialReason): 'session_ended' | 'token_revoked' {
  return denial === 'sid' ? 'session_ended' : 'token_revoked'
}

/** Where an `Auth` holds the key that signed its token; not for its readers. */
const KID = Symbol('kid')

function toAuth(claims: AccessClaims, kid: string): Auth {
  const auth: Auth = {
    sub: claims.sub,
    sid: claims.sid,
    jti: claims.jti,
    scope: claims.scope === undefined || claims.scope === '' ? [] : claims.scope.split(' '),
    issuedAt: claims.iat,
    expiresAt: claims.exp,
    claims,
  }
  return Object.defineProperty(auth, KID, { value: kid })
}

/** All of it: what one request could change, another would see. */
function freeze<T extends object>(value: T): T {
  for (const each of Object.values(value))
    if (typeof each === 'object' && each !== null) freeze(each as object)
  return Object.freeze(value)
}
