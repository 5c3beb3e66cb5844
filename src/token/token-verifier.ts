/**
 * Verifies access tokens. Every gate uses this class, so that all of them decide alike.
 *
 * The steps run in this order, and the first one that fails is the reason: shape, signature, claims, expiry, denylist.
 */
import type { Clock, UnixSeconds } from '../clock.js'
import type { Explanation, ExplainStep } from '../contract.js'
import { PortcullisError } from '../errors.js'
import type { ErrorCode } from '../errors.js'
import type { RevocationReason, OnOutage, RevocableToken, Denylist } from '../revocation/denylist.js'
import { estimateBytes } from './memory-size.js'
import type { Purpose, SignatureBudget } from './signature-budget.js'
import { readKid, selectKey, verifyClaims } from './access-token.js'
import type { AccessClaims, ClaimSettings, KeySet, KeyVerifier } from './access-token.js'
import { toAuth, toRevocableToken } from './auth.js'
import type { Auth } from './auth.js'
import { throwIfRevoked } from './revoked-error.js'
import { ownCopy } from './verified-cache.js'
import type { VerifiedCache } from './verified-cache.js'

export interface TokenVerifierDependencies {
  /** The accepted keys, by `kid`. */
  readonly keys: KeySet
  /** Tokens whose signature and claims were verified before. A hit skips these two checks, never the denylist. */
  readonly verified: VerifiedCache<VerifiedToken>
  readonly denylist: Denylist
  readonly clock: Clock
  readonly settings: ClaimSettings
  /** Bounds the wrong signatures of each address. */
  readonly budget: SignatureBudget
}

/** The client that presents a token. */
export interface TokenClient {
  /** `undefined` if it is unknown. Read only if the token isn't in the cache. */
  readonly address: string | undefined
  /** Default: `request`. */
  readonly purpose?: Purpose
}

export class TokenVerifier {
  readonly #dependencies: TokenVerifierDependencies

  constructor(dependencies: TokenVerifierDependencies) {
    this.#dependencies = dependencies
  }

  /**
   * Verifies a token. Returns without a promise if the denylist can decide from memory, and the key is known.
   *
   * @param client If set, wrong signatures count for its address, and beyond its budget the error is `rate_limited`.
   * @throws {PortcullisError} (or rejects with it) `token_malformed`, `token_invalid`, `token_expired`,
   *   `token_revoked`, `history_lost`, `session_ended`, `signed_in_elsewhere`; `store_unavailable` if the denylist is
   *   unavailable
   */
  verifyToken(token: string, client?: TokenClient): Auth | Promise<Auth> {
    const known = this.#findVerified(token)
    if (known !== undefined) return this.#checkDenylist(known)
    const verify = () => this.#checkDenylist(this.#verifyUncached(token, client))
    const loading = this.loadKey(token)
    return loading === undefined ? verify() : loading.then(verify)
  }

  /**
   * Looks for the key of a token if its id is unknown, and the keys of the issuer can be fetched. Returns `undefined` if
   * there is nothing to wait for. Never rejects. `verifyToken` does this itself.
   */
  loadKey(token: string): Promise<void> | undefined {
    const { keys } = this.#dependencies
    if (keys.load === undefined) return undefined
    const kid = readKid(token)
    return kid === undefined ? undefined : keys.load(kid)
  }

  /**
   * Verifies a token as `verifyToken` does, but lets `onOutage` decide while the denylist is unavailable.
   *
   * @returns `outage` is set if the token was admitted without the denylist, and says on which basis.
   * @throws {PortcullisError} as `verifyToken`; `store_unavailable` if `onOutage` doesn't admit the token either
   */
  async verifyTokenInOutage(
    token: string,
    onOutage: OnOutage,
    client?: TokenClient,
  ): Promise<{ auth: Auth; outage?: 'stale' | 'open' }> {
    const known = this.#findVerified(token)
    if (known === undefined) await this.loadKey(token)
    const verified = known ?? this.#verifyUncached(token, client)
    try {
      return { auth: await this.#checkDenylist(verified) }
    } catch (error) {
      if (onOutage === 'closed' || !(error instanceof PortcullisError) || error.code !== 'store_unavailable')
        throw error
      const decision = this.#dependencies.denylist.checkInOutage(verified, onOutage)
      if (!decision) throw error
      return { auth: admit(verified, decision.reason), outage: decision.outage }
    }
  }

  /** Returns the token from the cache unless it has expired or its key was removed since. */
  #findVerified(token: string): VerifiedToken | undefined {
    const { keys, verified, clock, settings } = this.#dependencies
    const known = verified.get(token)
    if (known === undefined) return undefined
    const isLive = clock.now() < known.exp * 1000 + settings.leeway
    if (isLive && keys.get(known.kid) === known.key) return known
    verified.delete(known)
    return undefined
  }

  /**
   * Verifies everything but the denylist, and adds the token to the cache.
   *
   * @throws {PortcullisError} `token_malformed`, `token_invalid`, `token_expired`, `rate_limited`
   */
  #verifyUncached(token: string, client: TokenClient | undefined): VerifiedToken {
    const { verified } = this.#dependencies
    const { claims, key, expired } = this.#decode(token, client)
    throwIf(expired, 'token_expired')
    const auth = freeze(toAuth(claims, key.kid))
    const copy = ownCopy(token)
    const bytes = OWN_BYTES + copy.length + estimateBytes(claims)
    const result = { token: copy, ...toRevocableToken(auth), exp: claims.exp, key, auth, bytes }
    verified.set(result)
    return result
  }

  /** Runs the last step: checks the denylist. */
  #checkDenylist(token: VerifiedToken): Auth | Promise<Auth> {
    const reason = this.#dependencies.denylist.check(token)
    return reason instanceof Promise ? reason.then((late) => admit(token, late)) : admit(token, reason)
  }

  /**
   * Explains step by step what `verifyToken` decides about a token, for operators. A PortcullisError becomes part of
   * the result, so it is not thrown.
   */
  async explain(token: string): Promise<Explanation> {
    const { keys, settings, denylist } = this.#dependencies
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
    await this.loadKey(token)
    try {
      const key = await run('shape', () => selectKey(token, keys))
      const payload = await run('signature', () => verifyWith(key, token))
      const checked = await run('claims', () => verifyClaims(payload, settings, this.#times()))
      claims = checked.claims
      await run('expiry', () => throwIf(checked.expired, 'token_expired'))
      await run('revocation', async () => {
        const auth = toAuth(checked.claims, key.kid)
        throwIfRevoked(await denylist.check(toRevocableToken(auth)))
      })
      return { admitted: true, steps, claims }
    } catch (error) {
      if (!(error instanceof PortcullisError)) throw error
      return { admitted: false, code: error.code, steps, ...(claims && { claims }) }
    }
  }

  /**
   * Checks the signature and the claims of a token, but neither expiry nor the denylist. A logout uses it, because it
   * accepts tokens that have expired or were revoked. A token in the cache isn't verified again.
   *
   * @param client As in `verifyToken`.
   * @throws {PortcullisError} `token_malformed`, `token_invalid`, `rate_limited`
   */
  decodeOwnToken(token: string, client?: TokenClient): OwnToken {
    const known = this.#findVerified(token)
    if (known !== undefined) return { claims: known.auth.claims, key: known.key, expired: false }
    return this.#decode(token, client)
  }

  #decode(token: string, client: TokenClient | undefined): OwnToken {
    const { keys, settings } = this.#dependencies
    const key = selectKey(token, keys)
    return { ...verifyClaims(this.#verifySignature(key, token, client), settings, this.#times()), key }
  }

  #verifySignature(
    key: KeyVerifier,
    token: string,
    client: TokenClient | undefined,
  ): Record<string, unknown> {
    const address = client?.address
    if (address === undefined) return verifyWith(key, token)
    const { budget } = this.#dependencies
    const purpose = client?.purpose ?? 'request'
    budget.check(address, purpose)
    try {
      return verifyWith(key, token)
    } catch (error) {
      budget.countFailure(address, purpose)
      throw error
    }
  }

  /** Returns true if the header of a token names one of our keys, or may name one. Nothing else is verified. */
  namesOwnKey(token: string): boolean {
    try {
      return selectKey(token, this.#dependencies.keys) !== undefined
    } catch (error) {
      // No key is known yet.
      return error instanceof PortcullisError && error.code === 'store_unavailable'
    }
  }

  /** Returns true if a token has expired, or is known to be revoked. Never waits for a lease. */
  async isSpent({ claims, key, expired }: OwnToken): Promise<boolean> {
    if (expired) return true
    const reason = await this.#dependencies.denylist.peek(toRevocableToken(toAuth(claims, key.kid)))
    return reason !== undefined && reason !== 'unknown'
  }

  #times() {
    const { clock, denylist } = this.#dependencies
    return { now: clock.now(), latestIssue: denylist.latestIssue() }
  }
}

/** A token with a good signature and good claims, which may have expired or been revoked. */
export interface OwnToken {
  readonly claims: AccessClaims
  readonly key: KeyVerifier
  readonly expired: boolean
}

/**
 * A token whose signature and claims were verified. It is admitted unless the denylist covers it. One flat object has
 * everything that is read on each request.
 */
export interface VerifiedToken extends RevocableToken {
  readonly token: string
  readonly exp: UnixSeconds
  readonly key: KeyVerifier
  readonly auth: Auth
  /** The memory that the cache needs for the token, estimated. */
  readonly bytes: number
}

/** Memory of a cached token besides its text and its claims, in bytes. */
const OWN_BYTES = 500

function verifyWith(key: KeyVerifier, token: string): Record<string, unknown> {
  try {
    return key.verify(token)
  } catch (error) {
    throw new PortcullisError('token_invalid', { reason: (error as Error).message })
  }
}

function throwIf(isWrong: boolean, code: ErrorCode): void {
  if (isWrong) throw new PortcullisError(code)
}

function admit({ auth }: VerifiedToken, reason: RevocationReason | undefined): Auth {
  throwIfRevoked(reason)
  return auth
}

/** Freezes an object deeply. Otherwise one request could change what another one sees. */
function freeze<T extends object>(value: T): T {
  for (const each of Object.values(value))
    if (typeof each === 'object' && each !== null) freeze(each as object)
  return Object.freeze(value)
}
