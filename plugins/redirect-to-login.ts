import type { FastifyReply, FastifyRequest } from 'fastify'
import { PortcullisError } from '../src/errors.js'
import { isNavigation, loginUrl } from '../src/gateway/login-redirect.js'
import type { CheckedTarget } from '../src/gateway/request-target.js'
import type { Admitter, RequestFacts } from '../src/token/admission.js'
import { OWN_HEADERS } from './own-headers.js'
import { noteErrorCode } from './problem-details.js'

export interface LoginRedirect {
  /** The error of admission. */
  readonly error: unknown
  readonly facts: RequestFacts
  readonly target: CheckedTarget
  /** The path or URL of the login page. */
  readonly page: string
  readonly admitter: Admitter
}

/**
 * Redirects a browser that opens a page without a good token (401) to the login page. Deletes its cookies if their
 * session has ended. Returns false, and sends nothing, for every other refusal.
 */
export function redirectToLogin(
  request: FastifyRequest,
  reply: FastifyReply,
  { error, facts, target, page, admitter }: LoginRedirect,
): boolean {
  if (!(error instanceof PortcullisError) || error.statusCode !== 401) return false
  if (!isNavigation(request.method, request.headers)) return false
  const location = loginUrl(page, target)
  if (location === undefined) return false
  noteErrorCode(request, error.code)
  const cleared = admitter.cookiesToClear(facts, error)
  if (cleared !== undefined) reply.header('set-cookie', cleared)
  void reply
    .code(302)
    .headers({ ...OWN_HEADERS, 'cache-control': 'no-store', location })
    .send()
  return true
}
