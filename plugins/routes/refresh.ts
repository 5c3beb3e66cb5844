import type { FastifyInstance, FastifyReply } from 'fastify'
import { RefreshBody } from '../../src/contract.js'
import { PortcullisError } from '../../src/errors.js'
import { rejectCrossSite } from '../../src/token/csrf.js'
import { clearCookies } from '../../src/token/token-cookies.js'
import { countedAddress } from '../client-address.js'
import type { Core } from '../../src/app/core.js'
import { refreshPresented } from '../refresh-request.js'
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
      if (fromCookie !== undefined)
        rejectCrossSite(readBrowserHeaders(request), core.settings.cors.origins, request.protocol === 'https')
      const sessions = sessionsFor(core, fromCookie !== undefined).forRequest(request.id)
      const address = countedAddress(request)
      const presented = { token, address, request }
      const tokens = await refreshPresented(core, sessions, presented).catch((error: unknown) => {
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
