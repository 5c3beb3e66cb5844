import type { FastifyInstance, FastifyRequest } from 'fastify'
import { LoginBody, isFalse, isTrue } from '../../src/contract.js'
import type { LoginCredentials } from '../../src/config.js'
import { PortcullisError } from '../../src/errors.js'
import type { Identity } from '../../src/session/session.js'
import type { WorkSlots } from '../../src/login/work-slots.js'
import { rejectCrossSite } from '../../src/token/csrf.js'
import { countedAddress } from '../client-address.js'
import type { Core } from '../core.js'
import { createAttempts } from '../login-attempts.js'
import { readBrowserHeaders } from '../request-facts.js'
import { readClientInfo } from './origin.js'
import { sendTokens, sessionsFor } from './send-tokens.js'

/** The way in which credentials are verified: a users file, a legacy API, or a function of the host. */
export interface Authenticator {
  /** Bounds the concurrent calls of `authenticate`. */
  readonly slots: WorkSlots
  /** Returns the identity of the user, or `null` if the credentials are wrong. */
  authenticate(
    credentials: LoginCredentials,
    request: FastifyRequest,
  ): Identity | null | Promise<Identity | null>
}

/** Adds `POST /auth/login`, which starts a session. */
export function loginRoute(app: FastifyInstance, core: Core, { slots, authenticate }: Authenticator): void {
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
      rejectCrossSite(readBrowserHeaders(request), core.settings.cors.origins)
    }
    const attempt = {
      slots,
      attempts: createAttempts(core, username, countedAddress(request)),
      authenticate: async () => authenticate({ username, password }, request),
    }
    const tokens = await sessionsFor(core, asCookies).login(attempt, { ...readClientInfo(request), device })
    return sendTokens(reply, core, tokens, asCookies ? { remember: !isFalse(remember) } : undefined)
  })
}
