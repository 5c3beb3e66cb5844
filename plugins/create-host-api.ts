/** Builds `app.portcullis` on a core. */
import type { FastifyRequest } from 'fastify'
import { tokenResponse, sessionView } from '../src/contract.js'
import { parseNode } from '../src/gateway/proxy-headers.js'
import { PortcullisError } from '../src/errors.js'
import type { Sid } from '../src/session/session.js'
import { parseLives } from '../src/config/session-lives.js'
import { requireSubject } from '../src/token/subject.js'
import type { Guards } from './guards.js'
import { checkCredentials, logIn } from './login-request.js'
import { checkLogoutRequest, endRequested } from './logout-request.js'
import { checkAccessText, checkRefreshText, refreshPresented, renewPresented } from './refresh-request.js'
import { NO_SIGNING_KEY } from '../src/app/instance-keys.js'
import { NO_STORE } from '../src/revocation/no-denylist.js'
import type { Core } from '../src/app/core.js'
import { setTokenCookies } from './routes/send-tokens.js'
import type { Portcullis } from './host-api.js'

/** Returns the API without the guards, which `plugins/guards.ts` creates. */
export function createHostApi(core: Core): Omit<Portcullis, keyof Guards> {
  const { sessions, settings, verifier, live, readiness } = core
  const requireKey = (method: string) => {
    if (core.key === undefined) throw new TypeError(`${method}: ${NO_SIGNING_KEY}`)
  }
  const requireStore = (method: string) => {
    if (settings.store === 'none') throw new TypeError(`${method}: ${NO_STORE}`)
  }
  return {
    async issue({ sub, clientId, scope, claims, device, ip, userAgent, access, refresh, ...others }) {
      requireKey('issue')
      const [unknown] = Object.keys(others)
      // A mistake such as `scopes` must not silently leave out the scope.
      if (unknown !== undefined)
        throw new TypeError(`issue: unknown field ${unknown}; further claims belong into claims`)
      const lives = parseLives({ access, refresh }, settings.tokens)
      return tokenResponse(
        await sessions.issue({ sub, clientId, scope, claims }, { device, ip, userAgent }, lives),
      )
    },
    async login(credentials, request) {
      requireKey('login')
      if (core.authenticator === undefined)
        throw new TypeError('login: the option login is not set; call issue for users whom you authenticate')
      // JavaScript can leave it out.
      if ((request as FastifyRequest | undefined) === undefined)
        throw new TypeError('login: pass the request of your route as the second argument')
      return tokenResponse(
        await logIn(core, sessions, core.authenticator, checkCredentials(credentials), request),
      )
    },
    async renew(token, { ip } = {}) {
      requireKey('renew')
      if (settings.tokens.scheme !== 'single')
        throw new TypeError(
          'renew: only with tokens.scheme: single; in the dual scheme use the refresh token',
        )
      const address = toAddress(ip)
      return tokenResponse(await renewPresented(core, sessions, { token: checkAccessText(token), address }))
    },
    async refresh(refreshToken, { ip } = {}) {
      requireKey('refresh')
      const address = toAddress(ip)
      const token = checkRefreshText(refreshToken)
      // Without the hint of POST /auth/refresh, because the body is the host's.
      if (token === undefined) throw new PortcullisError('refresh_token_missing')
      return tokenResponse(await refreshPresented(core, sessions, { token, address }))
    },
    async logout(request) {
      requireStore('logout')
      await endRequested(core, sessions, checkLogoutRequest(request))
    },
    setCookies(reply, tokens) {
      requireKey('setCookies')
      if (!settings.cookies.enabled) throw new TypeError('setCookies: the setting cookies.enabled is false')
      const isWhole = settings.tokens.scheme === 'single' || tokens.refresh_token !== undefined
      if (tokens.access_token === undefined || !isWhole)
        throw new TypeError('setCookies: pass the whole result of issue()')
      reply.header('cache-control', 'no-store')
      return setTokenCookies(reply, core, tokens)
    },
    async revoke(what) {
      requireStore('revoke')
      await sessions.revoke(what)
    },
    sessions: {
      async list(sub, options) {
        requireStore('sessions.list')
        const page = await sessions.list(requireSubject(sub), options)
        const views = page.sessions.map((session) => sessionView(session))
        return Object.assign(views, { nextCursor: page.next })
      },
      async endAll(sub, { except } = {}) {
        requireStore('sessions.endAll')
        await sessions.endAll(requireSubject(sub), { except: except as Sid | undefined })
      },
    },
    verifyToken: async (token) => verifier.verifyToken(checkAccessText(token)),
    onTokenEnd: (auth, end) => live.watch({ auth, end, onOutage: settings.revocation.onOutage }),
    events: core.events,
    metrics: core.metrics.registry,
    isReady: async () => (await readiness()).isReady,
  }
}

/** Returns the address that limits count by, or `undefined` if the host gave none that can be read. */
function toAddress(ip: unknown): string | undefined {
  return typeof ip === 'string' ? parseNode(ip) : undefined
}
