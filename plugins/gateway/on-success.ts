import type { FastifyReply } from 'fastify'
import type { Admission } from '../../src/token/admission.js'
import { PortcullisError } from '../../src/errors.js'
import type { Sid } from '../../src/session/session.js'
import { clearCookies } from '../../src/token/token-cookies.js'
import type { Core } from '../../src/app/core.js'
import type { GateRoute } from './gate.js'

/**
 * Returns a function that ends the sessions which the route's `onSuccess` names, or `undefined` if there is nothing to
 * end. Call it after the upstream has responded with 2xx and before the response is passed on. A client that sees the
 * success of a password change then knows that the old sessions have ended.
 *
 * The returned function rejects with `PortcullisError` `store_unavailable` if the sessions may not have ended.
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
    const sessions = core.sessions.forRequest(reply.request.id)
    if (onSuccess === 'end-session') return sessions.logout({ access: sid })
    return sessions.endAll(sub, onSuccess === 'end-other-sessions' ? { except: sid } : { own: sid })
  }
  return async () => {
    const { settings } = core
    await end().catch((error: unknown) => {
      throw toNotEndedError(error)
    })
    if (transport === 'cookie' && onSuccess !== 'end-other-sessions') {
      reply.raw.setHeader('set-cookie', clearCookies(settings.cookies, settings.prefix))
    }
  }
}

/** Replaces the detail of `store_unavailable`, which must not say that nothing was changed. */
function toNotEndedError(error: unknown): unknown {
  if (!(error instanceof PortcullisError) || error.code !== 'store_unavailable') return error
  return new PortcullisError('store_unavailable', {
    detail:
      'The upstream has completed the request, but sessions that it should end may still be valid. Log out everywhere.',
    reason: error.reason ?? error.message,
    cause: error,
  })
}
