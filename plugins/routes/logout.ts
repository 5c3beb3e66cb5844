import type { FastifyInstance } from 'fastify'
import { LogoutBody, isTrue } from '../../src/contract.js'
import { readPresentedToken } from '../../src/token/presented-token.js'
import { clearCookies } from '../../src/token/token-cookies.js'
import { rejectCrossSite } from '../../src/token/csrf.js'
import { countedAddress } from '../client-address.js'
import type { Core } from '../../src/app/core.js'
import { endRequested } from '../logout-request.js'
import { FastifyRequestFacts, readBrowserHeaders } from '../request-facts.js'
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
      await endRequested(core, core.sessions.forRequest(request.id), {
        accessToken: access?.token,
        refreshToken: oneRefreshToken(refresh_token, cookie),
        all: isTrue(all),
        keepCurrent: isTrue(keepCurrent),
        ip: countedAddress(request),
      })

      if (usesCookies && !isTrue(keepCurrent)) {
        reply.header('set-cookie', clearCookies(core.settings.cookies, core.settings.prefix))
      }
      return reply.code(204).send()
    },
  )
}
