/** The login page: `GET` shows the form, `POST` logs in and sends the browser to where it came from. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { PortcullisError } from '../../../src/errors.js'
import type { Authenticator } from '../../../src/login/authenticator.js'
import { pageUrl } from '../../../src/pages/frame.js'
import { LOGIN_REASONS, renderLoginPage } from '../../../src/pages/login-page-html.js'
import type { LoginPage } from '../../../src/pages/login-page-html.js'
import { tokenResponse } from '../../../src/contract.js'
import { rejectCrossSite } from '../../../src/token/csrf.js'
import { checkCredentials, logIn } from '../../login-request.js'
import { noteError, toPortcullisError } from '../../problem-details.js'
import { readBrowserHeaders } from '../../request-facts.js'
import { sessionsFor, setTokenCookies } from '../../routes/send-tokens.js'
import { continueUrl } from './continue-session.js'
import { fieldsOf, nextOf, pageContext, queryOf, seeOther, sendPage, waitOf } from './pages-context.js'
import type { PagesDependencies } from './pages-context.js'

export function loginPageRoutes(
  app: FastifyInstance,
  dependencies: PagesDependencies,
  authenticator: Authenticator,
): void {
  const { core, pages } = dependencies

  app.get(pages.login, async (request, reply) => {
    const query = queryOf(request)
    const reason = LOGIN_REASONS.find((one) => one === query['reason'])
    return show(request, reply, 200, {
      next: nextOf(query, pages),
      reason,
      continueAt: await continueUrl(dependencies, request),
    })
  })

  app.post(pages.login, async (request, reply) => {
    const fields = fieldsOf(request.body)
    const next = nextOf(fields, pages)
    const remember = fields['remember'] === 'true'
    try {
      // Otherwise another site could log the browser in to an attacker's account (login CSRF).
      rejectCrossSite(readBrowserHeaders(request), core.settings.cors.origins, request.protocol === 'https')
      const missing = (['username', 'password'] as const).find((field) => !fields[field])
      if (missing !== undefined) {
        const failure = { code: missing, wait: undefined, requestId: request.id }
        return show(request, reply, 400, { next, remember, username: fields['username'], failure })
      }
      const credentials = checkCredentials({ username: fields['username']!, password: fields['password']! })
      const sessions = sessionsFor(core, true)
      const options = { endsWithBrowser: !remember }
      const tokens = await logIn(core, sessions, authenticator, credentials, request, options)
      setTokenCookies(reply, core, tokenResponse(tokens), options)
    } catch (error) {
      return refuse(request, reply, toPortcullisError(error), { next, remember })
    }
    return seeOther(reply, next ?? pageUrl(pageContext(dependencies, request), pages.account))
  })

  function refuse(
    request: FastifyRequest,
    reply: FastifyReply,
    error: PortcullisError,
    page: LoginPage,
  ): FastifyReply {
    noteError(request, error)
    const { code, statusCode, headers } = error
    // A form of another site may have chosen the name.
    const username = code === 'cross_site_request' ? undefined : fieldsOf(request.body)['username']
    const failure = { code, wait: waitOf(error), requestId: request.id }
    return show(request, reply.headers(headers), statusCode, { ...page, username, failure })
  }

  function show(request: FastifyRequest, reply: FastifyReply, status: number, page: LoginPage): FastifyReply {
    return sendPage(reply, status, renderLoginPage(pageContext(dependencies, request), page))
  }
}
