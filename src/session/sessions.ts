import type { Milliseconds } from '../clock.js'
import { STORE_DEADLINE, withinDeadline } from '../deadline.js'
import type { SessionDependencies } from './dependencies.js'
import { endOwnSession } from './end-sessions.js'
import { issue } from './issue.js'
import type { TokenSet } from './issue.js'
import { listSessions } from './list-sessions.js'
import type { PageOptions, SessionPage } from './list-sessions.js'
import { login } from './login.js'
import type { LoginRequest } from './login.js'
import { logout, logoutAll } from './logout.js'
import type { LogoutAllOptions, PresentedTokens } from './logout.js'
import { refresh } from './refresh.js'
import { parseRefreshToken } from '../token/refresh-token.js'
import type { PresentedRefreshToken } from '../token/refresh-token.js'
import { revoke } from './revoke.js'
import type { RevokeRequest } from './revoke.js'
import type { ClientInfo, Identity, Sid } from './session.js'

/**
 * The sessions of one process. Everything that a route or a host does with a session is a method here, and the only
 * place with deadlines for it. The behaviours are in the files that the methods call.
 *
 * A method that needs Redis rejects with `PortcullisError` `store_unavailable` after its deadline. The work may still
 * take effect, so the caller repeats the call.
 */
export class Sessions {
  readonly #dependencies: SessionDependencies
  readonly #revokePatience: Milliseconds
  /** The deadline of a call that ends sessions or revokes tokens. */
  readonly #revokeDeadline: Milliseconds

  /**
   * @param revokePatience The additional time of a revocation, which waits for all instances.
   */
  constructor(dependencies: SessionDependencies, revokePatience: Milliseconds) {
    this.#dependencies = dependencies
    this.#revokePatience = revokePatience
    this.#revokeDeadline = STORE_DEADLINE + revokePatience
  }

  /** Returns the same sessions, except that they issue no access token for which `check` throws. */
  withTokenCheck(check: (accessToken: string) => void): Sessions {
    const { sign } = this.#dependencies
    const checked: SessionDependencies['sign'] = (claims) => {
      const token = sign(claims)
      check(token)
      return token
    }
    return new Sessions({ ...this.#dependencies, sign: checked }, this.#revokePatience)
  }

  /** Returns the same sessions, except that their events carry the id of this request. */
  forRequest(requestId: string): Sessions {
    const { emit } = this.#dependencies
    const emitted: SessionDependencies['emit'] = (event) => emit(event, requestId)
    return new Sessions({ ...this.#dependencies, emit: emitted }, this.#revokePatience)
  }

  /**
   * Verifies credentials and starts a session. Bounds only the time in which the session is stored, because a login may
   * queue for a slot, and verifying a password takes time.
   */
  login(request: LoginRequest, client: ClientInfo): Promise<TokenSet> {
    return login(this.#dependencies, request, client)
  }

  /**
   * Starts a session for a subject that the caller has authenticated. Bounds only the time in which the session is
   * stored, because the call may first wait for a recent revocation of the subject.
   */
  issue(identity: Identity, client: ClientInfo): Promise<TokenSet> {
    return issue(this.#dependencies, identity, client)
  }

  /** Returns the parts of a refresh token, or `undefined` if the text doesn't have its form. */
  parseRefreshToken(text: string): PresentedRefreshToken | undefined {
    return parseRefreshToken(text, this.#dependencies.proof)
  }

  /** Exchanges a refresh token for new tokens. */
  refresh(refreshToken: string | PresentedRefreshToken): Promise<TokenSet> {
    return withinDeadline(refresh(this.#dependencies, refreshToken))
  }

  /** Lists the active sessions of a subject. */
  list(sub: string, options?: PageOptions): Promise<SessionPage> {
    return withinDeadline(listSessions(this.#dependencies, sub, options))
  }

  /** Ends one session of a subject. `own` is the session of the caller's access token, if any. */
  end(sub: string, sid: Sid, own?: Sid): Promise<void> {
    return this.#beforeRevokeDeadline(endOwnSession(this.#dependencies, sub, sid, own))
  }

  /** Ends all sessions of a subject, or all except one. */
  endAll(sub: string, options?: LogoutAllOptions): Promise<void> {
    return this.#beforeRevokeDeadline(logoutAll(this.#dependencies, sub, options))
  }

  /** Ends the sessions of the presented tokens. */
  logout(tokens: PresentedTokens): Promise<void> {
    return this.#beforeRevokeDeadline(logout(this.#dependencies, tokens))
  }

  /** Revokes tokens by one of their claims. */
  revoke(request: RevokeRequest): Promise<void> {
    return this.#beforeRevokeDeadline(revoke(this.#dependencies, request))
  }

  #beforeRevokeDeadline(work: Promise<void>): Promise<void> {
    return withinDeadline(work, this.#revokeDeadline)
  }
}
