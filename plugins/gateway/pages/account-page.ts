/** The account page: `GET` lists the sessions of the user, and `POST` beneath it ends some of them. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { toSeconds } from '../../../src/clock.js'
import { sessionView } from '../../../src/contract.js'
import { PortcullisError } from '../../../src/errors.js'
import { renderAccountPage, renderUnavailablePage } from '../../../src/pages/account-page-html.js'
import type { AccountPage, EndFailure } from '../../../src/pages/account-page-html.js'
import { pageUrl } from '../../../src/pages/frame.js'
import type { Sid } from '../../../src/session/session.js'
import { rejectCrossSite } from '../../../src/token/csrf.js'
import { readPresentedToken } from '../../../src/token/presented-token.js'
import { clearCookies } from '../../../src/token/token-cookies.js'
import type { Auth } from '../../../src/token/auth.js'
import { countedAddress } from '../../client-address.js'
import { endRequested } from '../../logout-request.js'
import { noteError, toPortcullisError } from '../../problem-details.js'
import { FastifyRequestFacts, readBrowserHeaders } from '../../request-facts.js'
import { readClientInfo } from '../../routes/origin.js'
import { attributeTo } from '../../routes/session-events.js'
import {
  fieldsOf,
  loginPageUrl,
  pageContext,
  queryOf,
  reasonOf,
  seeOther,
  sendPage,
  waitOf,
} from './pages-context.js'
import type { PagesDependencies } from './pages-context.js'

/** Maximum number of sessions that the page lists, which is the maximum of one page of `Sessions.list`. */
const MAX_LISTED = 500

export function accountPageRoutes(app: FastifyInstance, dependencies: PagesDependencies): void {
  const { core, pages } = dependencies
  const { sessions, settings } = core

  app.get(pages.account, async (request, reply) => {
    try {
      const auth = await authenticate(request)
      const ended = Number(/^[1-9]\d{0,5}$/.exec(queryOf(request)['ended'] ?? '')?.[0])
      return await show(request, reply, 200, auth, { ended: ended || undefined })
    } catch (error) {
      return refuse(request, reply, error)
    }
  })

  app.post(`${pages.account}/end`, async (request, reply) => {
    const { sid } = fieldsOf(request.body)
    return endAndReturn(request, reply, sid, async ({ sub, sid: own }) => {
      if (sid === own) {
        await attributeTo(core, request, own, () =>
          sessions.forRequest(request.id).end(sub, own as Sid, own as Sid),
        )
        return leave(request, reply)
      }
      const end = () => sessions.forRequest(request.id).end(sub, (sid ?? '') as Sid)
      await attributeTo(core, request, own, end).catch((error: unknown) => {
        // It has ended in the meantime.
        if (!(error instanceof PortcullisError) || error.code !== 'not_found') throw error
      })
      return back(request, reply)
    })
  })

  app.post(`${pages.account}/end-others`, async (request, reply) =>
    endAndReturn(request, reply, undefined, async ({ sub, sid }) => {
      const others = (await list(request, { sub, sid })).filter(({ current }) => !current)
      await attributeTo(core, request, sid, () =>
        sessions.forRequest(request.id).endAll(sub, { except: sid as Sid }),
      )
      return back(request, reply, others.length > 0 ? String(others.length) : undefined)
    }),
  )

  app.post(`${pages.account}/logout`, async (request, reply) => {
    try {
      rejectCrossSite(readBrowserHeaders(request), settings.cors.origins, request.protocol === 'https')
      const access = readPresentedToken(new FastifyRequestFacts(request), core.transports)
      // The token may have expired: whoever wants to log out must not have to log in before.
      if (access !== undefined)
        await attributeTo(core, request, undefined, () =>
          endRequested(core, sessions.forRequest(request.id), {
            accessToken: access.token,
            ip: countedAddress(request),
          }),
        )
    } catch (error) {
      const { statusCode } = toPortcullisError(error)
      // A token that no instance admits needs no logout.
      if (statusCode !== 401) return refuse(request, reply, error)
    }
    return leave(request, reply)
  })

  /** Verifies the access token. For forms, it also rejects those of other sites. */
  async function authenticate(request: FastifyRequest): Promise<Auth> {
    const requirements = { auth: 'required', scope: [], onOutage: 'closed' } as const
    const { auth } = await core.admitter.admit(new FastifyRequestFacts(request), requirements)
    return auth!
  }

  async function endAndReturn(
    request: FastifyRequest,
    reply: FastifyReply,
    sid: string | undefined,
    end: (auth: Auth) => Promise<FastifyReply>,
  ): Promise<FastifyReply> {
    let auth: Auth | undefined
    try {
      auth = await authenticate(request)
      return await end(auth)
    } catch (error) {
      const failure = toPortcullisError(error)
      const isUnsure = failure.statusCode === 503 || failure.statusCode === 429
      if (auth === undefined || !isUnsure) return refuse(request, reply, error)
      noteError(request, failure)
      const wait = failure.statusCode === 429 ? (waitOf(failure) ?? 1) : undefined
      return show(request, reply.headers(failure.headers), failure.statusCode, auth, {
        failure: { sid, wait },
      }).catch((late: unknown) => refuse(request, reply, late))
    }
  }

  async function show(
    request: FastifyRequest,
    reply: FastifyReply,
    status: number,
    auth: Pick<Auth, 'sub' | 'sid'>,
    page: { readonly ended?: number | undefined; readonly failure?: EndFailure },
  ): Promise<FastifyReply> {
    const content: AccountPage = {
      ...page,
      sub: auth.sub,
      api: settings.prefix,
      exchange: settings.tokens.scheme === 'single' ? 'renew' : 'refresh',
      sessions: await list(request, auth),
      now: toSeconds(Date.now()),
    }
    return sendPage(reply, status, renderAccountPage(pageContext(dependencies, request), content))
  }

  async function list(request: FastifyRequest, { sub, sid }: Pick<Auth, 'sub' | 'sid'>) {
    const page = await sessions.list(sub, { limit: MAX_LISTED })
    const views = page.sessions.map((session) => sessionView(session, sid))
    // Where this session was used last says less than where it is used now.
    const { ip = '' } = readClientInfo(request)
    return views.map((view) => (view.current ? { ...view, ip } : view))
  }

  /** Responds to an error: 401 leads to the login page, 503 is a page that shows no list. */
  function refuse(request: FastifyRequest, reply: FastifyReply, thrown: unknown): FastifyReply {
    const error = toPortcullisError(thrown)
    const { statusCode, code, headers } = error
    const context = pageContext(dependencies, request)
    if (statusCode === 401) {
      noteError(request, error)
      const cleared = core.admitter.cookiesToClear(new FastifyRequestFacts(request), error)
      if (cleared !== undefined) reply.header('set-cookie', cleared)
      return seeOther(reply, loginPageUrl(context, { next: pages.account, reason: reasonOf(code) }))
    }
    if (statusCode < 500) throw error
    noteError(request, error)
    return sendPage(reply.headers(headers), statusCode, renderUnavailablePage(context, request.id))
  }

  function back(request: FastifyRequest, reply: FastifyReply, ended?: string): FastifyReply {
    return seeOther(reply, pageUrl(pageContext(dependencies, request), pages.account, { ended }))
  }

  /** Deletes the cookies and sends the browser to the login page. */
  function leave(request: FastifyRequest, reply: FastifyReply): FastifyReply {
    reply.header('set-cookie', clearCookies(settings.cookies, settings.prefix))
    return seeOther(reply, loginPageUrl(pageContext(dependencies, request), { reason: 'logout' }))
  }
}
