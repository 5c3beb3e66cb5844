/** Exchanges the tokens of a session whose access token has expired, for a browser without JavaScript. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { tokenResponse } from '../../../src/contract.js'
import { PortcullisError } from '../../../src/errors.js'
import { isBeneath } from '../../../src/own-paths.js'
import { pageUrl } from '../../../src/pages/frame.js'
import { renderLoginPage } from '../../../src/pages/login-page-html.js'
import type { TokenSet } from '../../../src/session/issue.js'
import { rejectCrossSite } from '../../../src/token/csrf.js'
import { readPresentedToken } from '../../../src/token/presented-token.js'
import { countedAddress } from '../../client-address.js'
import { noteError, toPortcullisError } from '../../problem-details.js'
import { refreshPresented, renewPresented } from '../../refresh-request.js'
import { FastifyRequestFacts, readBrowserHeaders } from '../../request-facts.js'
import { refreshCookie } from '../../routes/refresh-cookie.js'
import { clearCookiesIfFinal } from '../../routes/refresh.js'
import { sessionsFor, setTokenCookies } from '../../routes/send-tokens.js'
import {
  fieldsOf,
  filesPath,
  loginPageUrl,
  nextOf,
  pageContext,
  reasonOf,
  seeOther,
  sendPage,
  waitOf,
} from './pages-context.js'
import type { PagesDependencies } from './pages-context.js'

const NAME = '/continue'

/** Errors of an access token whose session may still be alive. */
const OUTDATED = new Set(['token_expired', 'token_revoked'])

/**
 * Returns the URL that exchanges the tokens of the request, or `undefined` if that can't succeed: the access token is
 * missing, good, or of an ended session, or the browser doesn't send the refresh cookie there (`cookies.path`).
 */
export async function continueUrl(
  { core }: PagesDependencies,
  request: FastifyRequest,
): Promise<string | undefined> {
  const { settings, transports, verifier } = core
  const url = `${filesPath(core)}${NAME}`
  const { path = settings.prefix } = settings.cookies
  if (path !== '/' && !isBeneath(url, path)) return undefined
  try {
    const presented = readPresentedToken(new FastifyRequestFacts(request), transports)
    if (presented?.transport !== 'cookie') return undefined
    await verifier.verifyToken(presented.token, { address: countedAddress(request) })
  } catch (error) {
    if (error instanceof PortcullisError && OUTDATED.has(error.code)) return url
  }
  return undefined
}

/** Adds `POST /auth/pages/continue`. Register it in a context with the path of the pages' files. */
export function continueRoute(app: FastifyInstance, dependencies: PagesDependencies): void {
  const { core, pages } = dependencies
  app.post(NAME, async (request, reply) => {
    const next = nextOf(fieldsOf(request.body), pages)
    const context = pageContext(dependencies, request)
    try {
      rejectCrossSite(readBrowserHeaders(request), core.settings.cors.origins, request.protocol === 'https')
      const tokens = await exchange(request)
      const endsWithBrowser = tokens.session.endsWithBrowser === true
      setTokenCookies(reply, core, tokenResponse(tokens), { endsWithBrowser })
      return seeOther(reply, next ?? pageUrl(context, pages.account))
    } catch (thrown) {
      const error = toPortcullisError(thrown)
      noteError(request, error)
      clearCookiesIfFinal(reply, core, error)
      const { statusCode, code, headers } = error
      if (statusCode === 401 || code === 'refresh_token_missing')
        return seeOther(reply, loginPageUrl(context, { next, reason: reasonOf(code) }))
      const failure = { code, wait: waitOf(error), requestId: request.id }
      return sendPage(reply.headers(headers), statusCode, renderLoginPage(context, { next, failure }))
    }
  })

  async function exchange(request: FastifyRequest): Promise<TokenSet> {
    const sessions = sessionsFor(core, true).forRequest(request.id)
    const address = countedAddress(request)
    if (core.settings.tokens.scheme === 'dual')
      return refreshPresented(core, sessions, { token: refreshCookie(request, core), address, request })
    const presented = readPresentedToken(new FastifyRequestFacts(request), core.transports)
    if (presented === undefined) throw new PortcullisError('credentials_missing')
    return renewPresented(core, sessions, { token: presented.token, address, request })
  }
}
