/** A logout by whoever presents a token: `POST /auth/logout`, and `app.portcullis.logout`. */
import type { Core } from '../src/app/core.js'
import { PortcullisError, rateLimited } from '../src/errors.js'
import type { ErrorCode } from '../src/errors.js'
import { parseNode } from '../src/gateway/proxy-headers.js'
import type { Sid } from '../src/session/session.js'
import type { Sessions } from '../src/session/sessions.js'
import type { OwnToken, TokenClient } from '../src/token/token-verifier.js'
import { countRefresh, checkRefreshText } from './refresh-request.js'

/** The tokens of a logout, and what it ends. */
export interface LogoutRequest {
  readonly accessToken?: string | undefined
  readonly refreshToken?: string | undefined
  /** True ends all sessions of the subject. Default: `false`, which ends the sessions of the tokens. */
  readonly all?: boolean | undefined
  /** True keeps the session of the access token. Only with `all`. Default: `false`. */
  readonly keepCurrent?: boolean | undefined
  /** The client's address, for limits. Without it, uses of tokens that may be invented aren't limited by address. */
  readonly ip?: string | undefined
}

/**
 * Ends the sessions that a logout names.
 *
 * @param sessions The sessions of the core, as the caller wants them (with a request id).
 * @throws {PortcullisError} as `POST /auth/logout`
 */
export async function endRequested(core: Core, sessions: Sessions, request: LogoutRequest): Promise<void> {
  if (request.keepCurrent && !request.all) {
    throw new PortcullisError('invalid_request', { detail: 'keepCurrent: use it together with all only.' })
  }
  await (request.all ? endAll(core, sessions, request) : endPresented(core, sessions, request))
}

/**
 * Checks a logout that the application requests, because an application in plain JavaScript has no type checks. A
 * mistake must not look like a logout of nobody. An `ip` that is no address counts as unknown.
 *
 * Tokens that are given as `undefined` are those of a client that sent none, which is no mistake of the application.
 *
 * @throws {TypeError}
 * @throws {PortcullisError} `invalid_request` if the refresh token isn't a text, or is empty or too long
 */
export function checkLogoutRequest(request: LogoutRequest): LogoutRequest {
  const { accessToken, refreshToken, all, keepCurrent, ip } = request ?? {}
  const isType = (value: unknown, type: string) => value === undefined || typeof value === type
  if (!['accessToken', 'refreshToken'].some((name) => name in (request ?? {})))
    throw new TypeError('logout: give accessToken, refreshToken or both')
  if (![accessToken, ip].every((value) => isType(value, 'string')))
    throw new TypeError('logout: accessToken and ip must be strings')
  if (!isType(all, 'boolean') || !isType(keepCurrent, 'boolean'))
    throw new TypeError('logout: all and keepCurrent must be true or false')
  checkRefreshText(refreshToken)
  return { ...request, ip: ip === undefined ? undefined : parseNode(ip) }
}

async function endAll(
  core: Core,
  sessions: Sessions,
  { accessToken, keepCurrent, ip }: LogoutRequest,
): Promise<void> {
  if (accessToken === undefined) {
    throw new PortcullisError('credentials_missing', {
      detail: 'all: an access token that is still valid is needed.',
    })
  }
  const { sub, sid } = await core.verifier.verifyToken(accessToken, toTokenClient(ip))
  const current = sid as Sid
  await sessions.endAll(sub, keepCurrent ? { except: current } : { own: current })
}

async function endPresented(
  core: Core,
  sessions: Sessions,
  { accessToken, refreshToken, ip }: LogoutRequest,
): Promise<void> {
  const refresh = refreshToken === undefined ? undefined : sessions.parseRefreshToken(refreshToken)
  if (accessToken !== undefined) await core.verifier.loadKey(accessToken)
  const own =
    accessToken === undefined
      ? undefined
      : decodeOwn(core, accessToken, toTokenClient(ip), { isAlone: refresh === undefined })
  if (own === undefined && refresh === undefined) {
    throw new PortcullisError(refreshToken === undefined ? 'credentials_missing' : 'refresh_token_invalid')
  }
  // A good access token can be used for one logout. Other tokens can be sent again and again.
  const isSpent = own === undefined || (await core.verifier.isSpent(own))
  const access = own?.claims.sid as Sid | undefined
  if (isSpent) {
    if (access !== undefined) await countLogout(core, access)
    else if (refresh!.isProven) await countLogout(core, refresh!.sid)
    else await countRefresh(core, ip, refresh!)
  }
  await sessions.logout({ access, refresh })
}

/**
 * Counts one logout of a session that we have certainly issued. It isn't counted by address: whoever repeats the logout
 * of one session must stop neither the refreshes nor the logouts of others behind the same address.
 *
 * @throws {PortcullisError} `rate_limited`
 */
async function countLogout({ limiters }: Core, sid: Sid): Promise<void> {
  const seconds = await limiters.logoutPerSession.count(sid)
  if (seconds > 0) throw rateLimited(seconds)
}

/**
 * Returns an access token that we have issued, expired or not. Returns `undefined` for any other token if a well-formed
 * refresh token was presented, too.
 *
 * @throws {PortcullisError} `rate_limited`; `token_malformed` or `token_invalid` if no such refresh token was presented
 */
function decodeOwn(
  core: Core,
  token: string,
  client: TokenClient,
  { isAlone }: { isAlone: boolean },
): OwnToken | undefined {
  try {
    return core.verifier.decodeOwnToken(token, client)
  } catch (error) {
    // Beyond the budget nobody knows whether the token is ours, so a 204 could leave its session alive.
    const isForeign = error instanceof PortcullisError && FOREIGN_CODES.has(error.code)
    if (isAlone || !isForeign) throw error
    return undefined
  }
}

/** Errors of a token that no instance admits. */
const FOREIGN_CODES: ReadonlySet<ErrorCode> = new Set(['token_malformed', 'token_invalid'])

/** Logouts have a budget of wrong signatures of their own. */
function toTokenClient(address: string | undefined): TokenClient {
  return { address, purpose: 'logout' }
}
