import type { FastifyReply } from 'fastify'
import type { Admission } from '../../src/token/admission.js'
import { withinDeadline } from '../../src/deadline.js'
import { PortcullisError } from '../../src/errors.js'
import { logout, logoutAll } from '../../src/session/logout.js'
import type { Sid } from '../../src/session/session.js'
import { clearCookies } from '../../src/token/token-cookies.js'
import type { Core } from '../core.js'
import type { GateRoute } from './gate.js'

/**
 * What a route's `onSuccess` asks for, once the upstream has said 2xx and before that is passed on: so whoever hears
 * of a changed password knows that the sessions of before are over. Undefined: nothing.
 *
 * The function that it gives rejects with a `store_unavailable` PortcullisError where that can't be had.
 */
export function createOnSuccess(
  core: Core,
  { onSuccess }: GateRoute,
  { auth, transport }: Admission,
  reply: FastifyReply,
): (() => Promise<void>) | undefined {
  if (onSuccess === undefined || auth === null) return undefined
  const { sub } = auth
  const sid = auth.sid as Sid
  const end = () => {
    if (onSuccess === 'end-session') return logout(core.sessions, { access: sid })
    return logoutAll(core.sessions, sub, onSuccess === 'end-other-sessions' ? { except: sid } : { own: sid })
  }
  return async () => {
    const { settings, revokeDeadline } = core
    await withinDeadline(end(), revokeDeadline).catch((error: unknown) => {
      throw notEnded(error)
    })
    if (transport === 'cookie' && onSuccess !== 'end-other-sessions') {
      reply.raw.setHeader('set-cookie', clearCookies(settings.cookies, settings.prefix))
    }
  }
}

function notEnded(error: unknown): unknown {
  if (!(error instanceof PortcullisError) || error.code !== 'store_unavailable') return error
  return new PortcullisError('store_unavailable', {
    detail:
      'What was asked has been done, but sessions that should have ended may go on; log out everywhere.',
    reason: error.reason ?? error.message,
    cause: error,
  })
}
