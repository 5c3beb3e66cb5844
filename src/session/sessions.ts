import type { Milliseconds } from '../clock.js'
import { STORE_DEADLINE, TimeBudget, withinDeadline } from '../deadline.js'
import type { RevocableToken } from '../revocation/denylist.js'
import type { SessionDependencies } from './dependencies.js'
import { endOutdatedSessions } from './end-outdated.js'
import { endOwnSession } from './end-own-session.js'
import { exchangeCode } from './exchange-code.js'
import type { PresentedCode } from './exchange-code.js'
import { issue } from './issue.js'
import type { IssueOptions, TokenSet } from './issue.js'
import { issueCode } from './issue-code.js'
import type { CodeConditions, IssuedCode } from './issue-code.js'
import { listSessions } from './list-sessions.js'
import type { PageOptions, SessionPage } from './list-sessions.js'
import { login } from './login.js'
import type { LoginRequest } from './login.js'
import { logout, logoutAll } from './logout.js'
import type { LogoutAllOptions, PresentedTokens } from './logout.js'
import { CHECK_PATIENCE } from './refresh-check.js'
import { refresh, renew } from './refresh.js'
import { parseRefreshToken } from '../token/refresh-token.js'
import type { PresentedRefreshToken } from '../token/refresh-token.js'
import { revoke } from './revoke.js'
import type { RevokeRequest } from './revoke.js'
import type { ClientInfo, Identity, Session, Sid } from './session.js'
import { slide } from './slide.js'
import type { SlidToken, TokenToSlide } from './slide.js'

export { RefreshChecks } from './refresh-check.js'
export { SlidingRenewal } from './sliding-renewal.js'

/**
 * The sessions of one process. Routes and hosts use sessions only through this class. Each method calls a function of a
 * file that is named after what it does, and this class adds the deadline. `login` and `issue` have their own deadline.
 *
 * After its deadline, a method rejects with `PortcullisError` `store_unavailable`. The work may still take effect, so
 * the caller should repeat the call.
 */
export class Sessions {
  readonly #dependencies: SessionDependencies
  readonly #revokePatience: Milliseconds
  /** The deadline of a call that ends sessions or revokes tokens. */
  readonly #revokeDeadline: Milliseconds

  /**
   * @param revokePatience The time that a revocation may take in addition to `STORE_DEADLINE`, because it waits for all
   *   instances.
   */
  constructor(dependencies: SessionDependencies, revokePatience: Milliseconds) {
    this.#dependencies = dependencies
    this.#revokePatience = revokePatience
    this.#revokeDeadline = STORE_DEADLINE + revokePatience
  }

  /** Returns the same sessions with a check of each new access token. If `check` throws, the token isn't issued. */
  withTokenCheck(check: (accessToken: string) => void): Sessions {
    const { sign } = this.#dependencies
    const checked: SessionDependencies['sign'] = (claims) => {
      const token = sign(claims)
      check(token)
      return token
    }
    return new Sessions({ ...this.#dependencies, sign: checked }, this.#revokePatience)
  }

  /** Returns the same sessions, with the id of this request in each event that they emit. */
  forRequest(requestId: string): Sessions {
    const { emit } = this.#dependencies
    const emitted: SessionDependencies['emit'] = (event) => emit(event, requestId)
    return new Sessions({ ...this.#dependencies, emit: emitted }, this.#revokePatience)
  }

  /**
   * Verifies credentials and starts a session. The deadline bounds only the storing of the session. Before that, the
   * login may wait until fewer passwords are being verified, and the verification itself takes time.
   */
  login(request: LoginRequest, client: ClientInfo, options?: IssueOptions): Promise<TokenSet> {
    return login(this.#dependencies, request, client, options)
  }

  /**
   * Starts a session for a subject that the caller has authenticated. The deadline bounds only the storing of the
   * session. Before that, the call may wait for a recent revocation of the subject.
   */
  issue(identity: Identity, client: ClientInfo, options?: IssueOptions): Promise<TokenSet> {
    return issue(this.#dependencies, identity, client, options)
  }

  /** Issues a one-time code for a session. */
  issueCode(sid: Sid, conditions: CodeConditions): Promise<IssuedCode> {
    return withinDeadline(issueCode(this.#dependencies, sid, conditions))
  }

  /**
   * Exchanges a one-time code for the tokens of a new session. Has the deadline of a revocation, because a second use
   * ends the session of the first, and longer if the user is read again. After that deadline the code may be used up,
   * but no tokens are returned.
   *
   * @param request The Fastify request, for the check of the user.
   */
  exchangeCode(presented: PresentedCode, client: ClientInfo, request?: unknown): Promise<TokenSet> {
    const patience = this.#dependencies.refreshChecks === undefined ? 0 : CHECK_PATIENCE
    const exchange = exchangeCode(this.#dependencies, presented, client, request)
    return withinDeadline(exchange, this.#revokeDeadline + patience)
  }

  /** Parses a refresh token. Returns `undefined` if the text doesn't have the form of one. Uses no store. */
  parseRefreshToken(text: string): PresentedRefreshToken | undefined {
    return parseRefreshToken(text, this.#dependencies.proof)
  }

  /**
   * Exchanges a refresh token for new tokens. The deadline bounds the work of the store. In addition, the user may be
   * read again, which has a time limit of its own.
   *
   * @param request The Fastify request, for the check of the user.
   */
  refresh(refreshToken: string | PresentedRefreshToken, request?: unknown): Promise<TokenSet> {
    return refresh(this.#dependencies, refreshToken, { request, budget: new TimeBudget() })
  }

  /** Exchanges a verified access token of the single scheme, expired or not, for the next one. As `refresh`. */
  renew(accessToken: RevocableToken, request?: unknown): Promise<TokenSet> {
    return renew(this.#dependencies, accessToken, { request, budget: new TimeBudget() })
  }

  /**
   * Returns a new access token for the session of an admitted one, or `undefined` if it can't have one. There is no
   * deadline, because nothing depends on the result (see SlidingRenewal).
   */
  slide(accessToken: TokenToSlide): Promise<SlidToken | undefined> {
    return slide(this.#dependencies, accessToken)
  }

  /** Lists the active sessions of a subject. */
  list(sub: string, options?: PageOptions): Promise<SessionPage> {
    return withinDeadline(listSessions(this.#dependencies, sub, options))
  }

  /**
   * Ends one session of a subject.
   *
   * @param own The session of the caller's access token, if any. If it equals `sid`, it is revoked
   *   even if its record was lost.
   */
  end(sub: string, sid: Sid, own?: Sid): Promise<void> {
    return this.#beforeRevokeDeadline(endOwnSession(this.#dependencies, sub, sid, own))
  }

  /** Ends all sessions of a subject. An option keeps one of them. */
  endAll(sub: string, options?: LogoutAllOptions): Promise<void> {
    return this.#beforeRevokeDeadline(logoutAll(this.#dependencies, sub, options))
  }

  /**
   * Ends the sessions of some subjects for which `isOutdated` returns true, and returns their number. There is no
   * deadline, because no client waits. Each step of the work has its own time limit.
   */
  endOutdated(subs: readonly string[], isOutdated: (session: Session) => boolean): Promise<number> {
    return endOutdatedSessions(this.#dependencies, subs, isOutdated)
  }

  /** Ends the sessions of the presented tokens. */
  logout(tokens: PresentedTokens): Promise<void> {
    return this.#beforeRevokeDeadline(logout(this.#dependencies, tokens))
  }

  /** Revokes tokens by one of their claims. */
  revoke(request: RevokeRequest): Promise<void> {
    return this.#beforeRevokeDeadline(revoke(this.#dependencies, request))
  }

  #beforeRevokeDeadline<T>(work: Promise<T>): Promise<T> {
    return withinDeadline(work, this.#revokeDeadline)
  }
}
