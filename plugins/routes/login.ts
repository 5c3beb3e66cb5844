import type { FastifyInstance, FastifyRequest } from 'fastify'
import { createHash } from 'node:crypto'
import { LoginBody, isTrue } from '../../src/contract.js'
import type { LoginCredentials } from '../../src/config.js'
import { PortcullisError } from '../../src/errors.js'
import { login } from '../../src/session/login.js'
import type { LoginAttempts } from '../../src/session/login.js'
import type { Identity } from '../../src/session/session.js'
import type { WorkSlots } from '../../src/login/work-slots.js'
import { normaliseName } from '../../src/login/users-file.js'
import { rejectCrossSite } from '../../src/token/csrf.js'
import { clientAddress } from '../client-address.js'
import type { Core } from '../core.js'
import { addressKey } from '../rate-limit.js'
import { readClientInfo } from './origin.js'
import { sendTokens } from './send-tokens.js'

/** Who may log in: by the users file, or by the host's own function. */
export interface Authenticator {
  readonly slots: WorkSlots
  authenticate(
    credentials: LoginCredentials,
    request: FastifyRequest,
  ): Identity | null | Promise<Identity | null>
}

/** `POST /auth/login` */
export function loginRoute(app: FastifyInstance, core: Core, { slots, authenticate }: Authenticator): void {
  app.post<{ Body: LoginBody }>('/login', { schema: { body: LoginBody } }, async (request, reply) => {
    const { username, password, device, cookies } = request.body
    const asCookies = isTrue(cookies)
    if (asCookies) {
      if (!core.settings.cookies.enabled) {
        throw new PortcullisError('invalid_request', {
          detail: 'cookies: they are not enabled (cookies.enabled).',
        })
      }
      // Else another site could log a browser in to an account of its own.
      rejectCrossSite(request.headers, core.settings.cors.origins)
    }
    const ports = {
      ...core.sessions,
      slots,
      attempts: createAttempts(core, username, clientAddress(request)),
      authenticate: () => authenticate({ username, password }, request),
    }
    const tokens = await login(ports, { ...readClientInfo(request), device })
    return sendTokens(reply, core, tokens, asCookies)
  })
}

function createAttempts({ limiters }: Core, username: string, ip: string): LoginAttempts {
  // Hashed, as people type passwords into the wrong field.
  const account = createHash('sha256').update(normaliseName(username)).digest('base64url')
  const counters = [
    [limiters.loginPerAccount, account],
    [limiters.loginPerAddress, addressKey(ip)],
  ] as const
  return {
    account,
    waitSeconds: async () =>
      Math.max(...(await Promise.all(counters.map(([one, key]) => one.waitSeconds(key))))),
    countFailure: async () => {
      await Promise.all(counters.map(([one, key]) => one.count(key)))
    },
  }
}
