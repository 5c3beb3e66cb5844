import type { FastifyInstance } from 'fastify'
import { LogoutBody, isTrue } from '../../src/contract.js'
import { readPresentedToken } from '../../src/token/presented-token.js'
import { clearCookies } from '../../src/token/token-cookies.js'
import { rejectCrossSite } from '../../src/token/csrf.js'
import { countedAddress } from '../client-address.js'
import type { Core } from '../../src/app/core.js'
import { endRequested } from '../logout-request.js'
import { FastifyRequestFacts, readBrowserHeaders } from '../request-facts.js'
import { attributeTo } from './session-events.js'
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
      const logout = {
        accessToken: access?.token,
        refreshToken: oneRefreshToken(refresh_token, cookie),
        all: isTrue(all),
        keepCurrent: isTrue(keepCurrent),
        ip: countedAddress(request),
      }
      const own = logout.all && access !== undefined ? readSid(access.token) : undefined
      await attributeTo(core, request, own, () =>
        endRequested(core, core.sessions.forRequest(request.id), logout),
      )

      if (usesCookies && !isTrue(keepCurrent)) {
        reply.header('set-cookie', clearCookies(core.settings.cookies, core.settings.prefix))
      }
      return reply.code(204).send()
    },
  )
}

/** Returns the session id of an access token that isn't verified yet. Nothing is ended unless it is verified. */
function readSid(token: string): string | undefined {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
    const { sid } = claims as { sid?: unknown }
    return typeof sid === 'string' ? sid : undefined
  } catch {
    return undefined
  }
}
