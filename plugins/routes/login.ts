import type { FastifyInstance } from 'fastify'
import { LoginBody, isFalse, isTrue } from '../../src/contract.js'
import { PortcullisError } from '../../src/errors.js'
import type { Authenticator } from '../../src/login/authenticator.js'
import { rejectCrossSite } from '../../src/token/csrf.js'
import type { Core } from '../../src/app/core.js'
import { logIn } from '../login-request.js'
import { readBrowserHeaders } from '../request-facts.js'
import { sendTokens, sessionsFor } from './send-tokens.js'

/** Adds `POST /auth/login`, which starts a session. */
export function loginRoute(app: FastifyInstance, core: Core, authenticator: Authenticator): void {
  app.post<{ Body: LoginBody }>('/login', { schema: { body: LoginBody } }, async (request, reply) => {
    const { cookies, remember } = request.body
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
    const sessions = sessionsFor(core, asCookies)
    const options = { endsWithBrowser: isFalse(remember) }
    const tokens = await logIn(core, sessions, authenticator, request.body, request, options)
    return sendTokens(reply, core, tokens, asCookies)
  })
}
