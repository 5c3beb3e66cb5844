import type { FastifyInstance } from 'fastify'
import { PortcullisError } from '../../src/errors.js'
import { rejectCrossSite } from '../../src/token/csrf.js'
import { readPresentedToken } from '../../src/token/presented-token.js'
import { countedAddress } from '../client-address.js'
import type { Core } from '../../src/app/core.js'
import { FastifyRequestFacts, readBrowserHeaders } from '../request-facts.js'
import { renewPresented } from '../refresh-request.js'
import { clearCookiesIfFinal } from './refresh.js'
import { sendTokens, sessionsFor } from './send-tokens.js'

/** Adds `POST /auth/renew`, which exchanges the newest access token of a session for the next one (single scheme). */
export function renewRoute(app: FastifyInstance, core: Core): void {
  app.post('/renew', async (request, reply) => {
    const presented = readPresentedToken(new FastifyRequestFacts(request), core.transports, request.body)
    if (presented === undefined) {
      throw new PortcullisError('credentials_missing', {
        detail: 'Send the access token, which may have expired, as `Authorization: Bearer <token>`.',
      })
    }
    const isCookie = presented.transport === 'cookie'
    if (isCookie)
      rejectCrossSite(readBrowserHeaders(request), core.settings.cors.origins, request.protocol === 'https')
    const sessions = sessionsFor(core, isCookie).forRequest(request.id)
    const exchange = { token: presented.token, address: countedAddress(request), request }
    const tokens = await renewPresented(core, sessions, exchange).catch((error: unknown) => {
      if (isCookie) clearCookiesIfFinal(reply, core, error)
      throw error
    })
    return sendTokens(reply, core, tokens, isCookie)
  })
}
