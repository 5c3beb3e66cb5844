import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { tokenResponse, sessionView } from '../src/contract.js'
import type { SessionView, TokenResponse } from '../src/contract.js'
import { parsePluginOptions } from '../src/config.js'
import type { PluginOptions } from '../src/config.js'
import { withinDeadline } from '../src/deadline.js'
import type { Entry } from '../src/revocation/port.js'
import { endSessions } from '../src/session/end.js'
import { issue } from '../src/session/issue.js'
import { logoutAll } from '../src/session/logout.js'
import type { Identity, Origin, Sid } from '../src/session/session.js'
import type { Auth } from '../src/verdict.js'
import { createGuards } from './authenticate.js'
import { createAuthenticator } from './authenticator.js'
import { createCore } from './core.js'
import type { Core } from './core.js'
import { makeOurOwn, withMethodNotAllowed } from './routes/context.js'
import { jwksRoute } from './routes/jwks.js'
import { loginRoute } from './routes/login.js'
import { logoutRoute } from './routes/logout.js'
import { meRoute } from './routes/me.js'
import { refreshRoute } from './routes/refresh.js'
import { sessionsRoutes } from './routes/sessions.js'

declare module 'fastify' {
  interface FastifyInstance {
    portcullis: Portcullis
  }
}

/** What `app.portcullis` offers the host. Everything rejects with a `store_unavailable` Refusal when the store is away. */
export interface Portcullis {
  /** Begins a session for somebody whom the host has authenticated. */
  issue(login: Identity & Origin): Promise<TokenResponse>
  /** Denies one access token (`jti`, Unix seconds of its `exp`), or ends one session. In force everywhere when it resolves. */
  revoke(what: { jti: string; expiresAt: number; reason?: string } | { sid: string }): Promise<void>
  readonly sessions: {
    list(sub: string): Promise<SessionView[]>
    /** Ends all sessions of a subject, or all but one. */
    endAll(sub: string, options?: { except?: string }): Promise<void>
  }
  /** Who an access token speaks for; rejects with the Refusal that a guard would answer. */
  judge(token: string): Promise<Auth>
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

/** Puts a core on an application: its decorators, then its routes. */
export async function registerCore(app: FastifyInstance, core: Core): Promise<void> {
  const { settings } = core
  const guards = createGuards({
    ...core,
    origins: settings.cors.origins,
    refusals: settings.refusals,
    onRefusal: ({ code }) => core.metrics.refusal(code),
  })
  app.decorate('portcullis', createFace(core))
  app.decorate('authenticate', guards.authenticate)
  app.decorate('authorize', guards.authorize)
  app.decorateRequest('auth', null)

  const authenticator = await createAuthenticator(settings.login, app.log)
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
    },
    { prefix: settings.prefix },
  )
  await app.register(async (context) => {
    makeOurOwn(context)
    withMethodNotAllowed(context, () => jwksRoute(context, core.key))
  })
}

function createFace({ sessions, verdict, isReady }: Core): Portcullis {
  return {
    async issue({ sub, clientId, scope, claims, device, ip, userAgent }) {
      const tokens = await withinDeadline(
        issue(sessions, { sub, clientId, scope, claims }, { device, ip, userAgent }),
      )
      return tokenResponse(tokens)
    },
    async revoke(what) {
      if ('sid' in what) {
        await withinDeadline(endSessions(sessions, [{ sid: what.sid as Sid }], 'revoked'))
        return
      }
      const { jti, expiresAt, reason } = what
      const entry: Entry = { kind: 'jti', id: jti, until: expiresAt * 1000, reason }
      await withinDeadline(sessions.revocation.revoke([entry]))
      sessions.tell({ event: 'revoked', kind: 'jti', id: jti, reason })
    },
    sessions: {
      async list(sub) {
        const all = await withinDeadline(sessions.store.list(sub, sessions.clock.now()))
        return all.map((session) => sessionView(session))
      },
      endAll: (sub, { except } = {}) =>
        withinDeadline(logoutAll(sessions, sub, { except: except as Sid | undefined })),
    },
    judge: async (token) => verdict.judge(token),
    isReady,
  }
}

export default fp(portcullis, { fastify: '5.x', name: 'portcullis' })
