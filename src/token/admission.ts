/**
 * Admission: decides whether a request may pass. Every gate (the plugin's guards, the reverse proxy, upgrades and
 * forward-auth) calls `admit`, and differs only in how it reports the outcome.
 *
 * The steps run in this order, and the first one that fails refuses the request:
 *
 * 1. find the presented token (RFC 6750 §2)
 * 2. CSRF: a request that changes something with a token from a cookie must come from one of our own origins
 * 3. rate limit by address
 * 4. verify the token (signature, claims, expiry, denylist)
 * 5. scope
 * 6. rate limit by subject
 *
 * An admitted token that expires soon may then be renewed (`tokens.renewUnder`).
 */
import { PortcullisError } from '../errors.js'
import type { ErrorCode } from '../errors.js'
import type { OnOutage } from '../revocation/denylist.js'
import { checkScope } from './check-scope.js'
import { findPresentedToken } from './presented-token.js'
import type { PresentedToken, Transport, Transports } from './presented-token.js'
import { changesState, rejectCrossSite } from './csrf.js'
import type { BrowserHeaders } from './csrf.js'
import type { RenewedToken, TokenRenewal } from './renewed-token.js'
import type { Auth } from './auth.js'
import type { TokenVerifier } from './token-verifier.js'

/** The parts of a request that admission reads, independent of the server that received it. */
export interface RequestFacts {
  readonly method: string
  /** The request target: path and query as received. The query may contain the token. */
  readonly target: string
  /** Names and values alternately, as in Node's `rawHeaders`. */
  readonly rawHeaders: readonly string[]
  /** The headers with which browsers identify the origin of a request. */
  readonly headers: BrowserHeaders
  /** True if the client is known to have used https. */
  readonly isSecure: boolean
  /** The parsed body; `undefined` if it wasn't read. */
  readonly body?: unknown
  /** The client's address, or `undefined` if it is unknown. Read only if a limit needs it. */
  readonly address: string | undefined
  /** True for a WebSocket handshake, which counts as a change of state although its method is GET. */
  readonly isUpgrade: boolean
}

/** The conditions under which a route or a guard admits a request. */
export interface Requirements {
  /** `optional` admits requests without a token, or with one in a cookie that isn't good any more. `none` ignores tokens. */
  readonly auth: 'required' | 'optional' | 'none'
  /** The token must have every one of these. */
  readonly scope: readonly string[]
  /** The token must have at least one of these. `undefined` demands nothing. */
  readonly anyScope?: readonly string[] | undefined
  /** How to decide while the denylist is unavailable. */
  readonly onOutage: OnOutage
  readonly rateLimit?: RequestLimit | undefined
}

/** A rate limit. Each method counts one request, and rejects with `rate_limited` if the limit is exceeded. */
export interface RequestLimit {
  /** Anonymous requests are counted by address in either case. An unknown address isn't counted. */
  readonly by: 'subject' | 'address'
  countAddress(address: string): Promise<void>
  countSubject(sub: string): Promise<void>
}

/** An admitted request. */
export interface Admission {
  /** `null` for an anonymous request. */
  readonly auth: Auth | null
  /** The transport of the token; `undefined` for an anonymous request. */
  readonly transport: Transport | undefined
  /** Set if the denylist was unavailable and the route's `onOutage` admitted the request. */
  readonly outage: 'stale' | 'open' | undefined
  /** `Set-Cookie` values that delete the cookies of a session that has ended. `undefined` if there are none. */
  readonly clearedCookies: readonly string[] | undefined
  /** The new access token that the response brings. `undefined` if there is none. */
  readonly renewed?: RenewedToken | undefined
}

export interface AdmitterDependencies {
  readonly verifier: TokenVerifier
  readonly transports: Transports
  /** Further origins that are treated as our own for requests with cookies (`cors.origins`). */
  readonly origins: readonly string[]
  /** `Set-Cookie` values that delete the token cookies. */
  readonly clearedCookies: readonly string[]
  /** Renews tokens that expire soon. Absent if `tokens.renewUnder` is 0. */
  readonly renewal?: TokenRenewal | undefined
  /** Called once for each refused request. */
  readonly onRefused: (code: ErrorCode) => void
}

const ANONYMOUS: Admission = Object.freeze({
  auth: null,
  transport: undefined,
  outage: undefined,
  clearedCookies: undefined,
})

/** Errors of an access token that was good once. A refresh may succeed. */
const OUTDATED_CODES: ReadonlySet<ErrorCode> = new Set(['token_expired', 'token_revoked', 'token_invalid'])

/** Errors of an access token after which a refresh can't succeed either. */
const FINAL_CODES: ReadonlySet<ErrorCode> = new Set([
  'session_ended',
  'signed_in_elsewhere',
  'reauthentication_required',
])

export class Admitter {
  readonly #dependencies: AdmitterDependencies

  constructor(dependencies: AdmitterDependencies) {
    this.#dependencies = dependencies
  }

  /**
   * Runs the steps. Returns without a promise if no step has to wait. That is the usual case: most tokens are already
   * in the cache of verified tokens, and the instance holds a lease.
   *
   * @throws {PortcullisError} (or rejects with it) `credentials_missing`, `credentials_ambiguous`,
   *   `cross_site_request`, `rate_limited`, `insufficient_scope`, and every error of `TokenVerifier.verifyToken`
   */
  admit(facts: RequestFacts, requirements: Requirements): Admission | Promise<Admission> {
    try {
      const { rateLimit } = requirements
      const admission =
        rateLimit === undefined
          ? this.#verify(this.#findToken(facts, requirements), requirements, facts)
          : this.#admitLimited(facts, requirements, rateLimit)
      if (!(admission instanceof Promise)) return this.#renewIfDue(admission, facts)
      return admission
        .then((late) => this.#renewIfDue(late, facts))
        .catch((error: unknown) => this.#refuse(error))
    } catch (error) {
      return this.#refuse(error)
    }
  }

  /**
   * Returns the `Set-Cookie` values that delete the cookies of a refused request, or `undefined` if its token came in no
   * cookie, or a refresh may still succeed.
   */
  cookiesToClear(facts: RequestFacts, error: PortcullisError): readonly string[] | undefined {
    if (!FINAL_CODES.has(error.code)) return undefined
    const { transports, clearedCookies } = this.#dependencies
    const presented = findPresentedToken(facts, transports, facts.body)
    return presented?.transport === 'cookie' ? clearedCookies : undefined
  }

  async #admitLimited(
    facts: RequestFacts,
    requirements: Requirements,
    limit: RequestLimit,
  ): Promise<Admission> {
    const presented = this.#findToken(facts, requirements)
    const countAddress = async () => {
      const { address } = facts
      if (address !== undefined) await limit.countAddress(address)
    }
    if (limit.by === 'address') await countAddress()
    const admission = await this.#verify(presented, requirements, facts)
    if (limit.by === 'subject') {
      const { auth } = admission
      await (auth === null ? countAddress() : limit.countSubject(auth.sub))
    }
    return admission
  }

  /** Steps 1 and 2. */
  #findToken(facts: RequestFacts, { auth }: Requirements): PresentedToken | undefined {
    if (auth === 'none') return undefined
    const { transports, origins } = this.#dependencies
    const presented = findPresentedToken(facts, transports, facts.body)
    if (presented?.transport === 'cookie' && (facts.isUpgrade || changesState(facts.method)))
      rejectCrossSite(facts.headers, origins, facts.isSecure)
    return presented
  }

  /** Steps 4 and 5. */
  #verify(
    presented: PresentedToken | undefined,
    requirements: Requirements,
    facts: RequestFacts,
  ): Admission | Promise<Admission> {
    if (presented === undefined) {
      checkScope(null, requirements)
      return ANONYMOUS
    }
    if (requirements.auth !== 'optional' || presented.transport !== 'cookie')
      return this.#verifyToken(presented, requirements, facts)
    // Browsers send cookies without being asked. A user whose session has ended must still be able to see the page.
    const toAnonymous = (error: unknown): Admission => {
      if (!(error instanceof PortcullisError)) throw error
      if (OUTDATED_CODES.has(error.code)) return ANONYMOUS
      if (!FINAL_CODES.has(error.code)) throw error
      return { ...ANONYMOUS, clearedCookies: this.#dependencies.clearedCookies }
    }
    try {
      const admission = this.#verifyToken(presented, requirements, facts)
      return admission instanceof Promise ? admission.catch(toAnonymous) : admission
    } catch (error) {
      return toAnonymous(error)
    }
  }

  #verifyToken(
    { token, transport }: PresentedToken,
    requirements: Requirements,
    facts: RequestFacts,
  ): Admission | Promise<Admission> {
    const { verifier } = this.#dependencies
    const { onOutage } = requirements
    if (onOutage !== 'closed') {
      return verifier.verifyTokenInOutage(token, onOutage, facts).then(({ auth, outage }) => {
        checkScope(auth, requirements)
        return { auth, transport, outage, clearedCookies: undefined }
      })
    }
    const admit = (auth: Auth): Admission => {
      checkScope(auth, requirements)
      return { auth, transport, outage: undefined, clearedCookies: undefined }
    }
    const verified = verifier.verifyToken(token, facts)
    return verified instanceof Promise ? verified.then(admit) : admit(verified)
  }

  /** Adds the new token, if one is due. The response to a WebSocket handshake brings none, and neither does an outage. */
  #renewIfDue(admission: Admission, facts: RequestFacts): Admission | Promise<Admission> {
    const { renewal } = this.#dependencies
    const { auth, transport, outage } = admission
    if (renewal === undefined || auth === null || !renewal.isDue(auth)) return admission
    if (transport === undefined || outage !== undefined || facts.isUpgrade) return admission
    return renewal.renew(auth, transport).then((renewed) => ({ ...admission, renewed }))
  }

  #refuse(error: unknown): never {
    if (error instanceof PortcullisError) this.#dependencies.onRefused(error.code)
    throw error
  }
}
