import type { FastifyInstance } from 'fastify'
import { RefreshBody } from '../../src/contract.js'
import { PortcullisError, rateLimited } from '../../src/errors.js'
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
      const token = oneRefreshToken(request.body?.refresh_token, fromCookie?.token)
      if (token === undefined) {
        throw new PortcullisError('refresh_token_missing', {
          detail: 'Send {"refresh_token": "…"} as the body.',
        })
      }
      if (fromCookie !== undefined)
        rejectCrossSite(readBrowserHeaders(request), core.settings.cors.origins, request.protocol === 'https')
      const address = countedAddress(request)
      if (address !== undefined) await countRefresh(core, address)
      const sessions = sessionsFor(core, fromCookie !== undefined)
      const tokens = await sessions.refresh(token).catch((error: unknown) => {
        // No later refresh with this cookie can succeed. A 503 isn't final, and leaves the cookies as they are.
        const isFinal = error instanceof PortcullisError && error.statusCode === 401
        if (fromCookie && isFinal)
          reply.header('set-cookie', clearCookies(core.settings.cookies, core.settings.prefix))
        throw error
      })
      return sendTokens(reply, core, tokens, fromCookie)
    },
  )
}

/**
 * Counts one use of a refresh token for the client's address.
 *
 * @throws {PortcullisError} `rate_limited`
 */
export async function countRefresh({ limiters }: Core, ip: string): Promise<void> {
  const seconds = await limiters.refreshPerAddress.count(addressKey(ip))
  if (seconds > 0) throw rateLimited(seconds)
}
