import type { FastifyInstance, FastifyRequest } from 'fastify'
import { LogoutBody, isTrue } from '../../src/contract.js'
import { PortcullisError, rateLimited } from '../../src/errors.js'
import type { ErrorCode } from '../../src/errors.js'
import type { Sid } from '../../src/session/session.js'
import { readPresentedToken } from '../../src/token/presented-token.js'
import { clearCookies } from '../../src/token/token-cookies.js'
import { rejectCrossSite } from '../../src/token/csrf.js'
import type { OwnToken, TokenClient } from '../../src/token/token-verifier.js'
import { countedAddress } from '../client-address.js'
import type { Core } from '../../src/app/core.js'
import { FastifyRequestFacts, readBrowserHeaders } from '../request-facts.js'
import { countRefresh } from './refresh.js'
import { oneRefreshToken, refreshCookie } from './refresh-cookie.js'

/** Adds `POST /auth/logout`, which ends the session of the presented tokens, or with `all` every session. */
export function logoutRoute(app: FastifyInstance, core: Core): void {
  app.post<{ Body: LogoutBody | undefined }>(
    '/logout',
    { schema: { body: LogoutBody } },
    async (request, reply) => {
      const access = readPresentedToken(new FastifyRequestFacts(request), core.transports, request.body)
      const cookie = refreshCookie(request, core)
      const usesCookies = access?.transport === 'cookie' || cookie !== undefined
      if (usesCookies)
        rejectCrossSite(readBrowserHeaders(request), core.settings.cors.origins, request.protocol === 'https')

      const { refresh_token, all, keepCurrent } = request.body ?? {}
      if (isTrue(keepCurrent) && !isTrue(all)) {
        throw new PortcullisError('invalid_request', {
          detail: 'keepCurrent: use it together with all only.',
        })
      }
      if (isTrue(all)) await endAll(core, request, access?.token, isTrue(keepCurrent))
      else await endPresented(core, request, access?.token, oneRefreshToken(refresh_token, cookie))

      if (usesCookies && !isTrue(keepCurrent)) {
        reply.header('set-cookie', clearCookies(core.settings.cookies, core.settings.prefix))
      }
      return reply.code(204).send()
    },
  )
}

async function endAll(
  core: Core,
  request: FastifyRequest,
  token: string | undefined,
  keepCurrent: boolean,
): Promise<void> {
  if (token === undefined) {
    throw new PortcullisError('credentials_missing', {
      detail: 'all: an access token that is still valid is needed.',
    })
  }
  const { sub, sid } = await core.verifier.verifyToken(token, clientOf(request))
  const current = sid as Sid
  await core.sessions.forRequest(request.id).endAll(sub, keepCurrent ? { except: current } : { own: current })
}

async function endPresented(
  core: Core,
  request: FastifyRequest,
  token: string | undefined,
  refreshToken: string | undefined,
): Promise<void> {
  const refresh = refreshToken === undefined ? undefined : core.sessions.parseRefreshToken(refreshToken)
  const own =
    token === undefined ? undefined : decodeOwn(core, request, token, { isAlone: refresh === undefined })
  if (own === undefined && refresh === undefined) {
    throw new PortcullisError(refreshToken === undefined ? 'credentials_missing' : 'refresh_token_invalid')
  }
  // A good access token can be used for one logout. Other tokens can be sent again and again.
  const isSpent = own === undefined || (await core.verifier.isSpent(own))
  const access = own?.claims.sid as Sid | undefined
  if (isSpent) {
    if (access !== undefined) await countLogout(core, access)
    else if (refresh!.isProven) await countLogout(core, refresh!.sid)
    else await countRefresh(core, countedAddress(request), refresh!)
  }
  await core.sessions.forRequest(request.id).logout({ access, refresh })
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
  request: FastifyRequest,
  token: string,
  { isAlone }: { isAlone: boolean },
): OwnToken | undefined {
  try {
    return core.verifier.decodeOwnToken(token, clientOf(request))
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
function clientOf(request: FastifyRequest): TokenClient {
  return { address: new FastifyRequestFacts(request).address, purpose: 'logout' }
}
