/** The standalone server: the plugin's core, the reverse proxy, and the admin listener. One of the doors. */
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import { createAdmin } from '../plugins/gateway/admin-server.js'
import type { AdminParts } from '../plugins/gateway/admin-server.js'
import { createApp } from '../plugins/gateway/http-server.js'
import { ClientConnections } from '../plugins/gateway/client-connections.js'
import { createCore } from '../plugins/core.js'
import type { Core } from '../plugins/core.js'
import { registerCors } from '../plugins/gateway/cors.js'
import { sendError, toPortcullisError } from '../plugins/problem-details.js'
import { registerExpectContinue } from '../plugins/gateway/expect-continue-hook.js'
import { Gate } from '../plugins/gateway/gate.js'
import { registerGateway } from '../plugins/gateway/reverse-proxy.js'
import { registerHealth } from '../plugins/gateway/health.js'
import { shedLoad } from '../plugins/gateway/load-shedding.js'
import { registerCore } from '../plugins/portcullis.js'
import { createRouteLimiters } from '../plugins/gateway/route-limits.js'
import { boundBodyTime } from '../plugins/gateway/body-timeout.js'
import { rejectBadRequests } from '../plugins/gateway/strict-requests.js'
import { servePipelinedInOrder } from '../plugins/gateway/pipelining.js'
import type { Milliseconds } from './clock.js'
import type { GatewaySettings } from './config.js'
import { StartError } from './start-error.js'
import { StopLog } from './stop-log.js'
import { redisKeys } from './redis/keys.js'
import { createLogger } from './logger.js'

export interface RunningServer {
  /** Such as `http://127.0.0.1:3000`. */
  readonly url: string
  /** Such as `http://127.0.0.1:9400`; undefined where there is no admin listener. */
  readonly adminUrl: string | undefined
  /** Drains for `timeouts.drain`, lets open requests end, for `timeouts.shutdown` at most, then closes everything. */
  close(): Promise<void>
  /** Ends the drain early, or lets `close` leave it out. Returns false if none was under way. */
  endDrain(): boolean
}

/** How long a stop may take: a moment longer than the open requests have, so that their cut is the server's own. */
export function stopDelay({ timeouts }: Pick<GatewaySettings, 'timeouts'>): Milliseconds {
  return timeouts.drain + timeouts.shutdown + 1_000
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
  const close = async () => {
    const stopLog = new StopLog(log, settings.timeouts.drain)
    await gateway.stop(() => stopLog.listenerClosed())
    await admin?.close()
    await gateway.close()
    stopLog.stopped()
  }
  let closed: Promise<void> | undefined
  try {
    if (settings.admin !== false) {
      admin = await openAdmin(settings.admin, { metrics: core.metrics.registry, core }, log)
    }
    log.info({ event: 'started', url, admin: admin?.url }, 'Portcullis is up')
    const { endDrain } = gateway
    return { url, adminUrl: admin?.url, close: () => (closed ??= close()), endDrain }
  } catch (error) {
    await gateway.close()
    throw error
  }
}

/** One that listens. */
export interface Listener {
  readonly url: string
  /** Cuts what is open. */
  close(): Promise<void>
}

export interface Gateway extends Listener {
  readonly core: Core
  /** Drains and stops listening; resolves when every connection has ended, or was cut. `close` is still to follow. */
  readonly stop: (onListenerClosed: () => void) => Promise<void>
  readonly endDrain: () => boolean
}

/** The gateway itself: everything but the admin listener. */
export async function openGateway(settings: GatewaySettings, log: Logger): Promise<Gateway> {
  const app = await createApp(settings, log)
  const connections = new ClientConnections(app.server)
  const core = await createCore({ ...settings, refusals: 'answer' }, app.log, { ofProcess: true })
  app.addHook('onClose', () => core.close())
  try {
    await build(app, core, settings, connections)
    const url = await listen(app, settings.listen, 'listen', settings.listen.tls ? 'https' : 'http')
    const { drain, shutdown } = settings.timeouts
    return {
      url,
      core,
      stop: (onListenerClosed) => connections.stop({ drain, shutdown, onListenerClosed }),
      endDrain: () => connections.endDrain(),
      close: () => app.close(),
    }
  } catch (error) {
    await app.close()
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
  return { url: await listen(app, settings, 'admin'), close: () => app.close() }
}

async function build(
  app: FastifyInstance,
  core: Core,
  settings: GatewaySettings,
  connections: ClientConnections,
): Promise<void> {
  app.setErrorHandler((error, request, reply) => sendError(request, reply, toPortcullisError(error)))
  servePipelinedInOrder(app, connections)
  await shedLoad(app, core, settings)
  rejectBadRequests(app, settings.limits)
  registerExpectContinue(app)
  boundBodyTime(app, settings.limits.bodyTimeout)
  await registerCors(app, settings.cors.origins)
  const limiters = await createRouteLimiters(settings.routes, redisKeys(settings.keyPrefix), core.redis)
  const gate = new Gate(core, settings, limiters)
  await registerGateway(app, core, settings, { gate, connections })
  await registerHealth(app, core, connections)
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
