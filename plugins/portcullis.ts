import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { parsePluginOptions } from '../src/config.js'
import type { PluginOptions, PluginSettings } from '../src/config.js'
import { addDecorators, authPropertyOf, checkRegistration } from './decorators.js'
import { createGuards, createOwnGuard } from './guards.js'
import { createHostApi } from './create-host-api.js'
import type { Portcullis } from './host-api.js'
import { islands } from './islands.js'
import { createCore } from '../src/app/core.js'
import type { Core } from '../src/app/core.js'
import { sendRenewedTokens } from './renewed-tokens.js'
import { makeOurOwn, withMethodNotAllowed } from './routes/context.js'
import { codesRoute } from './routes/codes.js'
import { jwksRoute } from './routes/jwks.js'
import { loginRoute } from './routes/login.js'
import { logoutRoute } from './routes/logout.js'
import { meRoute } from './routes/me.js'
import { refreshRoute } from './routes/refresh.js'
import { renewRoute } from './routes/renew.js'
import { sessionEventsRoute } from './routes/session-events.js'
import { sessionsRoutes } from './routes/sessions.js'
import { tokenRoute } from './routes/token.js'
import { verifyRoute } from './routes/verify.js'
import type { Front } from './routes/verify.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** Sessions, revocation and token verification. Missing until the plugin is registered. */
    portcullis: Portcullis
  }
}

/**
 * The Fastify plugin. Adds routes under `/auth` and `/.well-known`, and the decorators `app.authenticate`,
 * `app.authorize`, `app.portcullis` and `request.auth` (the option `decorators` renames them). It guards only its own
 * routes and those that use a guard.
 *
 * @throws {ConfigError} at registration, if an option is invalid
 */
async function portcullis(app: FastifyInstance, options: PluginOptions<FastifyRequest>): Promise<void> {
  const settings = mountCookies(parsePluginOptions(options), app.prefix)
  checkRegistration(app, settings)
  const core = await createCore(settings, app.log, islands, { ofProcess: false, loginProcesses: 1 })
  try {
    await registerCore(app, core)
  } catch (error) {
    // A host whose registration failed may not call `app.close()`, and open connections would keep its process alive.
    await core.close()
    throw error
  }
  app.addHook('onClose', () => core.close())
}

/**
 * Fills in the path of the refresh cookie for a plugin that is registered in a context with a prefix. A prefix with
 * parameters has many paths, so the cookie's path then ends before the first parameter.
 */
function mountCookies(settings: PluginSettings, contextPrefix: string): PluginSettings {
  const mounted = `${contextPrefix.replace(/\/$/, '')}${settings.prefix}`
  const path = mounted.replace(/\/[^/]*[:*].*$/, '') || '/'
  return { ...settings, cookies: { path, ...settings.cookies } }
}

/**
 * Adds the decorators and then the routes of a core to an application.
 *
 * @param front The route table that forward-auth uses. Set in the gateway only.
 */
export async function registerCore(app: FastifyInstance, core: Core, front?: Front): Promise<void> {
  const { settings } = core
  const dependencies = {
    admitter: core.admitter,
    refusals: settings.refusals,
    onOutage: settings.revocation.onOutage,
    loginPage: typeof settings.login === 'function' ? undefined : settings.login.page,
    authProperty: authPropertyOf(settings.decorators),
  }
  const guards = createGuards(dependencies)
  const own = createOwnGuard(dependencies)
  app.decorate('portcullis', { ...guards, ...createHostApi(core) })
  addDecorators(app, settings.decorators, guards)
  if (settings.tokens.renewUnder > 0) sendRenewedTokens(app)

  await app.register(
    async (context) => {
      makeOurOwn(context)
      withMethodNotAllowed(context, () => {
        if (core.authenticator) loginRoute(context, core, core.authenticator)
        if (core.key) {
          if (settings.tokens.scheme === 'single') renewRoute(context, core)
          else refreshRoute(context, core)
        }
        if (settings.store !== 'none') {
          logoutRoute(context, core)
          sessionsRoutes(context, core, own)
          sessionEventsRoute(context, core, own)
        }
        meRoute(context, own)
        if (settings.codes && core.key) {
          codesRoute(context, core, own)
          tokenRoute(context, core)
        }
      })
      verifyRoute(context, core, front)
    },
    { prefix: settings.prefix },
  )
  const { key } = core
  // An instance that only verifies publishes no keys: those are the issuer's.
  if (key === undefined) return
  await app.register(async (context) => {
    makeOurOwn(context)
    withMethodNotAllowed(context, () => jwksRoute(context, key))
  })
}

export default fp(portcullis, { fastify: '5.x', name: 'portcullis' })
