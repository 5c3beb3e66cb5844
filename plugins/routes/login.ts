import type { FastifyInstance } from 'fastify'
import { LoginBody, isFalse, isTrue } from '../../src/contract.js'
import { PortcullisError } from '../../src/errors.js'
import type { Authenticator } from '../../src/login/authenticator.js'
import { rejectCrossSite } from '../../src/token/csrf.js'
import { countedAddress } from '../client-address.js'
import type { Core } from '../../src/app/core.js'
import { createAttempts } from '../login-attempts.js'
import { readBrowserHeaders } from '../request-facts.js'
import { readClientInfo } from './origin.js'
import { sendTokens, sessionsFor } from './send-tokens.js'

/** Adds `POST /auth/login`, which starts a session. */
export function loginRoute(
  app: FastifyInstance,
  core: Core,
  { slots, authenticate, isOutdated }: Authenticator,
): void {
  app.post<{ Body: LoginBody }>('/login', { schema: { body: LoginBody } }, async (request, reply) => {
    const { username, password, device, cookies, remember } = request.body
    const asCookies = isTrue(cookies)
    if (asCookies) {
      if (!core.settings.cookies.enabled) {
        throw new PortcullisError('invalid_request', {
          detail: 'cookies: token cookies are disabled here (setting cookies.enabled).',
        })
      }
      // Otherwise another site could log the browser in to an attacker's account (login CSRF).
      rejectCrossSite(readBrowserHeaders(request), core.settings.cors.origins, request.protocol === 'https')
    }
    // Must never reach a login function: an LDAP bind with an empty password is anonymous, and succeeds (RFC 4513 §5.1.2).
    if (username === '' || password === '') throw new PortcullisError('invalid_credentials')
    const address = countedAddress(request)
    const attempt = {
      slots,
      isOutdated,
      attempts: createAttempts(core, username, address),
      authenticate: async () => authenticate({ username, password }, address ?? '', request),
    }
    const sessions = sessionsFor(core, asCookies).forRequest(request.id)
    const client = { ...readClientInfo(request), device }
    const tokens = await sessions.login(attempt, client, { endsWithBrowser: isFalse(remember) })
    return sendTokens(reply, core, tokens, asCookies)
  })
}
