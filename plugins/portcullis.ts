import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { tokenResponse, sessionView } from '../src/contract.js'
import type { SessionView, TokenResponse } from '../src/contract.js'
import { parsePluginOptions } from '../src/config.js'
import type { PluginOptions } from '../src/config.js'
import { withinDeadline } from '../src/deadline.js'
import type { ErrorCode } from '../src/errors.js'
import { issue } from '../src/session/issue.js'
import { listSessions } from '../src/session/list-sessions.js'
import type { PageOptions } from '../src/session/list-sessions.js'
import { logoutAll } from '../src/session/logout.js'
import type { Identity, ClientInfo, Sid } from '../src/session/session.js'
import type { Auth } from '../src/token/token-verifier.js'
import { createGuards } from './guards.js'
import type { Guards } from './guards.js'
import { createAuthenticator } from './authenticator.js'
import { createCore } from './core.js'
import { revoke } from './revoke.js'
import type { RevokeRequest } from './revoke.js'
import type { Core } from './core.js'
import { makeOurOwn, withMethodNotAllowed } from './routes/context.js'
import { jwksRoute } from './routes/jwks.js'
import { loginRoute } from './routes/login.js'
import { logoutRoute } from './routes/logout.js'
import { meRoute } from './routes/me.js'
import { refreshRoute } from './routes/refresh.js'
import { sessionsRoutes } from './routes/sessions.js'
import { verifyRoute } from './routes/verify.js'
import type { Front } from './routes/verify.js'

declare module 'fastify' {
  interface FastifyInstance {
    portcullis: Portcullis
  }
}

/** Sessions, and where the next page begins; `nextCursor` is undefined on the last. */
export type SessionList = SessionView[] & { readonly nextCursor: string | undefined }

/**
 * What `app.portcullis` offers the host. Everything rejects with a `store_unavailable` PortcullisError when the store is
 * away.
 */
export interface Portcullis extends Guards {
  /** Begins a session for somebody whom the host has authenticated. */
  issue(login: Identity & ClientInfo): Promise<TokenResponse>
  /** Denies what it says. In force everywhere when it resolves. */
  revoke(what: RevokeRequest): Promise<void>
  readonly sessions: {
    /** A page of the subject's sessions, oldest first: 100 unless `limit` says otherwise, 500 at most. */
    list(sub: string, options?: PageOptions): Promise<SessionList>
    /** Ends all sessions of a subject, or all but one. */
    endAll(sub: string, options?: { except?: string }): Promise<void>
  }
  /** Who an access token speaks for; rejects with the PortcullisError that a guard would answer. */
  verifyToken(token: string): Promise<Auth>
  /**
   * Ties a WebSocket or an event stream that the host keeps open to the token that it was opened with. `end` is called,
   * once, within 100 ms of when that is revoked on any instance, expires, or can't be judged any more
   * (`revocation.onOutage`).
   *
   * @param auth From `verifyToken`, or `request.auth`.
   * @param end Closes it (a WebSocket by 4401), told why by the code of the error that a new request would get.
   * @returns To be called when it is over by itself.
   */
  onTokenEnd(auth: Auth, end: (code: ErrorCode) => void): () => void
  /** Whether the store can be used now. */
  isReady(): Promise<boolean>
}

/**
 * The plugin: routes under `/auth` and `/.well-known`, `app.authenticate`, `app.authorize`, `request.auth` and
 * `app.portcullis`. It guards nothing unasked.
 *
 * @throws {ConfigError} at registration, for options that can't be used
 */
async function portcullis(app: FastifyInstance, options: PluginOptions<FastifyRequest>): Promise<void> {
  const settings = parsePluginOptions(options)
  const core = await createCore(settings, app.log, { ofProcess: false })
  app.addHook('onClose', () => core.close())
  await registerCore(app, core)
}

/** Puts a core on an application: its decorators, then its routes. `front`: what forward-auth asks in the gateway. */
export async function registerCore(app: FastifyInstance, core: Core, front?: Front): Promise<void> {
  const { settings } = core
  const guards = createGuards({
    admitter: core.admitter,
    refusals: settings.refusals,
    onOutage: settings.revocation.onOutage,
  })
  app.decorate('portcullis', { ...guards, ...createApi(core) })
  app.decorate('authenticate', guards.authenticate)
  app.decorate('authorize', guards.authorize)
  app.decorateRequest('auth', null)

  const authenticator = await createAuthenticator(settings.login, app.log, front?.settings.workers ?? 1)
  await app.register(
    async (context) => {
      makeOurOwn(context)
      withMethodNotAllowed(context, () => {
        if (authenticator) loginRoute(context, core, authenticator)
        refreshRoute(context, core)
        logoutRoute(context, core)
        sessionsRoutes(context, core, guards.authenticate)
        meRoute(context, guards.authenticate)
      })
      verifyRoute(context, core, front)
    },
    { prefix: settings.prefix },
  )
  await app.register(async (context) => {
    makeOurOwn(context)
    withMethodNotAllowed(context, () => jwksRoute(context, core.key))
  })
}

function createApi(core: Core): Omit<Portcullis, keyof Guards> {
  const { sessions, settings, verifier, live, readiness } = core
  return {
    async issue({ sub, clientId, scope, claims, device, ip, userAgent }) {
      return tokenResponse(await issue(sessions, { sub, clientId, scope, claims }, { device, ip, userAgent }))
    },
    revoke: (what) => revoke(core, what),
    sessions: {
      async list(sub, options) {
        const page = await withinDeadline(listSessions(sessions, sub, options))
        const views = page.sessions.map((session) => sessionView(session))
        return Object.assign(views, { nextCursor: page.next })
      },
      endAll: (sub, { except } = {}) =>
        withinDeadline(logoutAll(sessions, sub, { except: except as Sid | undefined }), core.revokeDeadline),
    },
    verifyToken: async (token) => verifier.verifyToken(token),
    onTokenEnd: (auth, end) => live.watch({ auth, end, onOutage: settings.revocation.onOutage }),
    isReady: async () => (await readiness()).isReady,
  }
}

export default fp(portcullis, { fastify: '5.x', name: 'portcullis' })
