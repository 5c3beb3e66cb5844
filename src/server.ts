/** The standalone server: the plugin's core, the reverse proxy, and the admin listener. One of the doors. */
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { createAdmin } from '../plugins/admin.js'
import { createApp } from '../plugins/app.js'
import { createCore } from '../plugins/core.js'
import type { Core } from '../plugins/core.js'
import { registerCors } from '../plugins/cors.js'
import { answerRefusal, toRefusal } from '../plugins/errors.js'
import { registerGateway } from '../plugins/gateway.js'
import { registerHealth } from '../plugins/health.js'
import { registerCore } from '../plugins/portcullis.js'
import { boundBodyTime } from '../plugins/slow-bodies.js'
import { refuseBadRequests } from '../plugins/target.js'
import type { GatewaySettings } from './config.js'
import { StartError } from './start-error.js'
import { createLogger } from './log.js'

export interface RunningServer {
  /** Such as `http://127.0.0.1:3000`. */
  readonly url: string
  /** Such as `http://127.0.0.1:9400`; undefined where there is no admin listener. */
  readonly adminUrl: string | undefined
  /** Lets open requests end, for `timeouts.shutdown` at most, then closes everything. */
  close(): Promise<void>
}

/**
 * Starts the gateway. It resolves when it listens, whether Redis can be reached or not.
 *
 * @throws {StartError | KeyError | UsersFileError} for settings that turn out not to work
 */
export async function startServer(
  settings: GatewaySettings,
  warnings: readonly string[] = [],
): Promise<RunningServer> {
  const log = createLogger(settings.log)
  for (const warning of warnings) log.warn({ event: 'config_warning' }, warning)
  const app = await createApp(settings, log)
  const core = await createCore({ ...settings, refusals: 'answer' }, app.log, { ofProcess: true })
  app.addHook('onClose', () => core.close())
  const apps = [app]
  try {
    await build(app, core, settings)
    const url = await listen(app, settings.listen, 'listen', settings.listen.tls ? 'https' : 'http')
    const adminUrl = settings.admin === false ? undefined : await startAdmin(apps, core, settings.admin)
    log.info({ event: 'started', url, admin: adminUrl }, 'Portcullis is up')
    return { url, adminUrl, close: () => close(apps, settings.timeouts.shutdown) }
  } catch (error) {
    await close(apps, 0)
    throw error
  }
}

async function build(app: FastifyInstance, core: Core, settings: GatewaySettings): Promise<void> {
  app.setErrorHandler((error, request, reply) => answerRefusal(request, reply, toRefusal(error)))
  refuseBadRequests(app, settings.limits)
  boundBodyTime(app, settings.limits.bodyTimeout)
  await registerCors(app, settings.cors.origins)
  registerGateway(app, core, settings)
  await registerHealth(app, core)
  await registerCore(app, core)
}

async function startAdmin(
  apps: FastifyInstance[],
  core: Core,
  settings: Exclude<GatewaySettings['admin'], false>,
): Promise<string> {
  const admin = await createAdmin(core, apps[0]!.log, settings.token)
  apps.push(admin)
  return listen(admin, settings, 'admin')
}

async function listen(
  app: FastifyInstance,
  { host, port }: { host: string; port: number },
  setting: string,
  protocol = 'http',
) {
  try {
    await app.listen({ host, port })
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'EADDRINUSE') {
      throw new StartError(`${setting}.port: ${port} is in use; choose another one, or 0 for a free one`)
    }
    throw new StartError(`${setting}: ${host}:${port} can’t be listened on: ${message}`)
  }
  const bound = app.server.address() as AddressInfo
  return `${protocol}://${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`
}

async function close(apps: readonly FastifyInstance[], patience: number): Promise<void> {
  const cut = setTimeout(() => apps.forEach((app) => app.server.closeAllConnections()), patience)
  // Node keeps a connection for as long as this after its request has ended, closing or not.
  for (const app of apps) app.server.keepAliveTimeout = 1
  await Promise.all(apps.map((app) => app.close()))
  clearTimeout(cut)
}
