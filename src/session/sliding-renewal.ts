import type { Clock, Milliseconds, UnixMs } from '../clock.js'
import { toSeconds } from '../clock.js'
import { withinDeadline } from '../deadline.js'
import type { Log } from '../logger.js'
import type { Denylist } from '../revocation/denylist.js'
import { createSampler } from '../sample.js'
import type { Transport } from '../token/presented-token.js'
import type { RenewedToken, TokenRenewal } from '../token/renewed-token.js'
import { requireCookieFits, setCookies } from '../token/token-cookies.js'
import type { CookieSettings } from '../token/token-cookies.js'
import { toRevocableToken } from '../token/auth.js'
import type { Auth } from '../token/auth.js'
import type { Sessions } from './sessions.js'
import type { SlidToken } from './slide.js'

/** Maximum time that a request waits for its new token. After that, it is served without one. */
const PATIENCE: Milliseconds = 500
/** The time after a failure in which the same token isn't tried again, so that not every request waits. */
const PAUSE: Milliseconds = 1_000
/** Maximum number of tokens whose renewal is remembered. Each needs about 2 kB. */
const MAX_REMEMBERED = 10_000

export interface SlidingRenewalDependencies {
  readonly sessions: Pick<Sessions, 'slide'>
  /** `undefined` if the denylist isn't in memory, because a look-up would then cost another round trip. */
  readonly denylist: Pick<Denylist, 'peek'> | undefined
  readonly clock: Clock
  readonly log: Log
  readonly settings: SlidingRenewalSettings
}

export interface SlidingRenewalSettings {
  /** The setting `tokens.renewUnder`. */
  readonly renewUnder: Milliseconds
  /** The setting `tokens.leeway`. */
  readonly leeway: Milliseconds
  readonly cookies: CookieSettings
  /** The path prefix of Portcullis' own routes. */
  readonly prefix: string
}

/** The renewal of one token. */
interface Renewal {
  /** Never rejects. */
  token: Promise<SlidToken | undefined>
  /** The time at which this renewal is forgotten. */
  until: UnixMs
}

/**
 * Renews access tokens that expire soon. Remembers the renewal of each token until the token expires, so that all
 * requests with the same old token get the same new one, and only the first reads the session.
 */
export class SlidingRenewal implements TokenRenewal {
  readonly #dependencies: SlidingRenewalDependencies
  /** The renewals by the `jti` of the old token, in the order in which they began. */
  readonly #renewals = new Map<string, Renewal>()
  readonly #sample = createSampler()

  constructor(dependencies: SlidingRenewalDependencies) {
    this.#dependencies = dependencies
  }

  isDue({ issuedAt, expiresAt }: Auth): boolean {
    const { clock, settings } = this.#dependencies
    const left = expiresAt * 1000 - clock.now()
    if (left >= settings.renewUnder) return false
    // A token with a shorter life would be due at once. It is renewed in the second half of its life.
    const life = (expiresAt - issuedAt) * 1000
    return life > settings.renewUnder || left < life / 2
  }

  async renew(auth: Auth, transport: Transport): Promise<RenewedToken | undefined> {
    const slid = await this.#slideOnce(auth)
    const now = this.#dependencies.clock.now()
    if (slid === undefined || slid.expiresAt * 1000 <= now) return undefined
    const { accessToken, expiresAt } = slid
    const cookie = transport === 'cookie' ? this.#createCookie(slid, now) : undefined
    if (transport === 'cookie' && cookie === undefined) return undefined
    const mayBeSent = () => this.#isAdmitted(auth)
    return { accessToken, expiresIn: expiresAt - Math.floor(now / 1000), cookie, mayBeSent }
  }

  #slideOnce(auth: Auth): Promise<SlidToken | undefined> {
    const { sessions, clock, settings } = this.#dependencies
    const now = clock.now()
    const known = this.#renewals.get(auth.jti)
    if (known !== undefined && now < known.until) return known.token
    const until = auth.expiresAt * 1000 + settings.leeway
    const work = sessions.slide({ ...toRevocableToken(auth), exp: auth.expiresAt })
    const renewal: Renewal = { until, token: withinDeadline(work, PATIENCE).catch((error) => fail(error)) }
    const fail = (error: unknown): undefined => {
      renewal.until = clock.now() + PAUSE
      this.#logFailure(auth, error)
    }
    // A result that comes after the deadline is used by the next request.
    const keep = (slid: SlidToken | undefined) =>
      Object.assign(renewal, { until, token: Promise.resolve(slid) })
    work.then(keep, (error) => this.#logFailure(auth, error))
    this.#remember(auth.jti, renewal, now)
    return renewal.token
  }

  #remember(jti: string, renewal: Renewal, now: UnixMs): void {
    const renewals = this.#renewals
    renewals.delete(jti)
    renewals.set(jti, renewal)
    // The oldest renewals come first, and most of them expire before the others.
    for (const [oldest, { until }] of renewals) {
      if (now < until && renewals.size <= MAX_REMEMBERED) return
      renewals.delete(oldest)
    }
  }

  /** Returns `undefined` if browsers would drop the cookie. */
  #createCookie({ accessToken, session }: SlidToken, now: UnixMs): string | undefined {
    const { cookies, prefix } = this.#dependencies.settings
    try {
      requireCookieFits(cookies, prefix, accessToken)
    } catch (error) {
      this.#logFailure(session, error)
      return undefined
    }
    const maxAge = session.endsWithBrowser === true ? undefined : toSeconds(session.expiresAt - now)
    return setCookies(cookies, prefix, { value: accessToken, maxAge }, undefined)[0]
  }

  /** Returns false if the denylist in memory covers the token, or can't decide. */
  #isAdmitted(auth: Auth): boolean {
    return this.#dependencies.denylist?.peek(toRevocableToken(auth)) === undefined
  }

  #logFailure({ sub, sid }: { readonly sub: string; readonly sid: string }, error: unknown): void {
    this.#sample(() =>
      this.#dependencies.log.warn(
        { event: 'renewal_failed', sub, sid, err: error },
        'a response brings no new access token, because its renewal failed (logged at most once per second)',
      ),
    )
  }
}
