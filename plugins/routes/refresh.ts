import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { RefreshBody } from '../../src/contract.js'
import { PortcullisError, rateLimited } from '../../src/errors.js'
import type { TokenSet } from '../../src/session/issue.js'
import type { Sessions } from '../../src/session/sessions.js'
import { rejectCrossSite } from '../../src/token/csrf.js'
import { clearCookies } from '../../src/token/token-cookies.js'
import { addressKey, countedAddress } from '../client-address.js'
import type { Core } from '../../src/app/core.js'
import { readBrowserHeaders } from '../request-facts.js'
import { oneRefreshToken, refreshCookie } from './refresh-cookie.js'
import { sendTokens, sessionsFor } from './send-tokens.js'

/** Adds `POST /auth/refresh`, which exchanges a refresh token for new tokens. */
export function refreshRoute(app: FastifyInstance, core: Core): void {
  app.post<{ Body: RefreshBody | undefined }>(
    '/refresh',
    { schema: { body: RefreshBody } },
    async (request, reply) => {
      const fromCookie = refreshCookie(request, core)
      const token = oneRefreshToken(request.body?.refresh_token, fromCookie)
      if (token === undefined) {
        throw new PortcullisError('refresh_token_missing', {
          detail: 'Send {"refresh_token": "…"} as the body.',
        })
      }
      if (fromCookie !== undefined)
        rejectCrossSite(readBrowserHeaders(request), core.settings.cors.origins, request.protocol === 'https')
      const sessions = sessionsFor(core, fromCookie !== undefined).forRequest(request.id)
      const tokens = await countedRefresh(core, sessions, request, token).catch((error: unknown) => {
        if (fromCookie !== undefined) clearCookiesIfFinal(reply, core, error)
        throw error
      })
      return sendTokens(reply, core, tokens, fromCookie !== undefined)
    },
  )
}

/** Clears the cookies if no later exchange with them can succeed. A 503 isn't final. */
export function clearCookiesIfFinal(reply: FastifyReply, { settings }: Core, error: unknown): void {
  if (error instanceof PortcullisError && error.statusCode === 401)
    reply.header('set-cookie', clearCookies(settings.cookies, settings.prefix))
}

async function countedRefresh(
  core: Core,
  sessions: Sessions,
  request: FastifyRequest,
  token: string,
): Promise<TokenSet> {
  const parsed = sessions.parseRefreshToken(token)
  if (!parsed) throw new PortcullisError('refresh_token_invalid', { reason: 'shape' })
  await countRefresh(core, countedAddress(request), parsed)
  return sessions.refresh(parsed, request)
}

/**
 * Counts one use of a token for the client's address. A token that may be invented is counted in this process only, so
 * that it causes no write to Redis.
 *
 * @param ip The client's address. Nothing is counted if it is unknown.
 * @throws {PortcullisError} `rate_limited`
 */
export async function countRefresh(
  { limiters }: Core,
  ip: string | undefined,
  { isProven }: { readonly isProven: boolean },
): Promise<void> {
  if (ip === undefined) return
  const limiter = isProven ? limiters.refreshPerAddress : limiters.unprovenPerAddress
  const seconds = await limiter.count(addressKey(ip))
  if (seconds > 0) throw rateLimited(seconds)
}
