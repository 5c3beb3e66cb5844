/** The standalone server: the plugin's core, the reverse proxy, and the admin listener. One of the doors. */
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import { createAdmin } from '../plugins/admin.js'
import type { AdminParts } from '../plugins/admin.js'
import { createApp } from '../plugins/app.js'
import { createCore } from '../plugins/core.js'
import type { Core } from '../plugins/core.js'
import { registerCors } from '../plugins/cors.js'
import { answerRefusal, toRefusal } from '../plugins/errors.js'
import { registerExpectContinue } from '../plugins/expect-continue.js'
import { Gate } from '../plugins/gate.js'
import { registerGateway } from '../plugins/gateway.js'
import { registerHealth } from '../plugins/health.js'
import { shedLoad } from '../plugins/overload.js'
import { registerCore } from '../plugins/portcullis.js'
import { createRouteLimiters } from '../plugins/route-limits.js'
import { boundBodyTime } from '../plugins/slow-bodies.js'
import { refuseBadRequests } from '../plugins/target.js'
import { takeTurns } from '../plugins/turns.js'
import type { Milliseconds } from './clock.js'
import type { GatewaySettings } from './config.js'
import { StartError } from './start-error.js'
import { redisKeys } from './store/keys.js'
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
  const gateway = await openGateway(settings, log)
  const { core, url } = gateway
  let admin: Listener | undefined
  const close = async (patience: Milliseconds) => {
    await Promise.all([gateway.close(patience), admin?.close(patience)])
  }
  try {
    if (settings.admin !== false) {
      admin = await openAdmin(settings.admin, { metrics: core.metrics.registry, core }, log)
    }
    log.info({ event: 'started', url, admin: admin?.url }, 'Portcullis is up')
    return { url, adminUrl: admin?.url, close: () => close(settings.timeouts.shutdown) }
  } catch (error) {
    await close(0)
    throw error
  }
}

/** One that listens. */
export interface Listener {
  readonly url: string
  /** Cuts what is open after `patience`. */
  close(patience: Milliseconds): Promise<void>
}

export interface Gateway extends Listener {
  readonly core: Core
}

/** The gateway itself: everything but the admin listener. */
export async function openGateway(settings: GatewaySettings, log: Logger): Promise<Gateway> {
  const app = await createApp(settings, log)
  const core = await createCore({ ...settings, refusals: 'answer' }, app.log, { ofProcess: true })
  app.addHook('onClose', () => core.close())
  try {
    await build(app, core, settings)
    const url = await listen(app, settings.listen, 'listen', settings.listen.tls ? 'https' : 'http')
    return { url, core, close: (patience) => closeApp(app, patience) }
  } catch (error) {
    await closeApp(app, 0)
    throw error
  }
}

/** The admin listener; `/api` needs a core, and is there only with `admin.token`. */
export async function openAdmin(
  settings: Exclude<GatewaySettings['admin'], false>,
  { metrics, core }: { metrics: AdminParts['metrics']; core: Core | undefined },
  log: Logger,
): Promise<Listener> {
  const { token } = settings
  const app = await createAdmin(
    { metrics, api: core && token !== undefined ? { core, token } : undefined },
    log,
  )
  return { url: await listen(app, settings, 'admin'), close: (patience) => closeApp(app, patience) }
}

async function build(app: FastifyInstance, core: Core, settings: GatewaySettings): Promise<void> {
  app.setErrorHandler((error, request, reply) => answerRefusal(request, reply, toRefusal(error)))
  takeTurns(app)
  await shedLoad(app, core, settings)
  refuseBadRequests(app, settings.limits)
  registerExpectContinue(app)
  boundBodyTime(app, settings.limits.bodyTimeout)
  await registerCors(app, settings.cors.origins)
  const limiters = await createRouteLimiters(settings.routes, redisKeys(settings.keyPrefix), core.redis)
  const gate = new Gate(core, settings, limiters)
  await registerGateway(app, core, settings, gate)
  await registerHealth(app, core)
  await registerCore(app, core, { gate, settings })
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

async function closeApp(app: FastifyInstance, patience: Milliseconds): Promise<void> {
  const cut = setTimeout(() => app.server.closeAllConnections(), patience)
  // Node keeps a connection for as long as this after its request has ended, closing or not.
  app.server.keepAliveTimeout = 1
  await app.close()
  clearTimeout(cut)
}
