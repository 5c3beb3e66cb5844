import type { FastifyInstance } from 'fastify'
import { PortcullisError } from '../../src/errors.js'
import type { TokenSet } from '../../src/session/issue.js'
import type { Sessions } from '../../src/session/sessions.js'
import { rejectCrossSite } from '../../src/token/csrf.js'
import { readPresentedToken } from '../../src/token/presented-token.js'
import { toAuth, toRevocableToken } from '../../src/token/token-verifier.js'
import { countedAddress } from '../client-address.js'
import type { Core } from '../../src/app/core.js'
import { FastifyRequestFacts, readBrowserHeaders } from '../request-facts.js'
import { clearCookiesIfFinal, countRefresh } from './refresh.js'
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
    const renewal = { token: presented.token, address: countedAddress(request), request }
    const tokens = await renew(core, sessions, renewal).catch((error: unknown) => {
      if (isCookie) clearCookiesIfFinal(reply, core, error)
      throw error
    })
    return sendTokens(reply, core, tokens, isCookie)
  })
}

export interface Renewal {
  readonly token: string
  /** The client's address. Nothing is counted if it is unknown. */
  readonly address: string | undefined
  /** The Fastify request, for the check of the user. */
  readonly request?: unknown
}

/**
 * Verifies an access token apart from its expiry, and renews its session.
 *
 * @throws {PortcullisError} `token_malformed`, `token_invalid`, `rate_limited`, and those of `Sessions.renew`
 */
export async function renew(
  core: Core,
  sessions: Sessions,
  { token, address, request }: Renewal,
): Promise<TokenSet> {
  const { claims, key } = core.verifier.decodeOwnToken(token, { address })
  await countRefresh(core, address, { isProven: true })
  return sessions.renew(toRevocableToken(toAuth(claims, key.kid)), request)
}
