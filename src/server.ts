/** The standalone server: the core of the plugin, the reverse proxy, and the admin listener. */
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import { createAdmin } from '../plugins/gateway/admin-server.js'
import type { AdminParts } from '../plugins/gateway/admin-server.js'
import { createApp } from '../plugins/gateway/http-server.js'
import { ClientConnections } from '../plugins/gateway/client-connections.js'
import { limitConnections } from '../plugins/gateway/connection-limit.js'
import { islands } from '../plugins/islands.js'
import { createCore } from './app/core.js'
import type { Core } from './app/core.js'
import { sendError, toPortcullisError } from '../plugins/problem-details.js'
import { Gate } from '../plugins/gateway/gate.js'
import { registerStages } from '../plugins/gateway/stages.js'
import { registerHealth } from '../plugins/gateway/health.js'
import { registerPages } from '../plugins/gateway/pages/register-pages.js'
import { registerCore } from '../plugins/portcullis.js'
import { createRouteLimiters } from '../plugins/gateway/route-limits.js'
import type { Milliseconds } from './clock.js'
import { toPluginSettings } from './config.js'
import type { GatewaySettings } from './config.js'
import { reloadCertificates } from './reload-certificates.js'
import { StartError } from './start-error.js'
import { StopLog } from './stop-log.js'
import { hostName } from './gateway/routes.js'
import { redisKeys } from './redis/keys.js'
import { createLogger, watchLog } from './logger.js'

/** A gateway that accepts connections. */
export interface RunningServer {
  /** The URL of the gateway, such as `http://127.0.0.1:3000`. */
  readonly url: string
  /** The URL of the admin listener, such as `http://127.0.0.1:9400`; `undefined` with `admin: false`. */
  readonly adminUrl: string | undefined
  /**
   * Stops the server. It drains for `timeouts.drain`, then waits at most `timeouts.shutdown` for open requests, then
   * closes every connection.
   */
  close(): Promise<void>
  /** Ends the drain early, or makes a later `close` skip it. Returns false if no drain was in progress. */
  endDrain(): boolean
  /** Reads the certificate of `listen.tls` again. Never rejects. */
  reload(): Promise<void>
}

/**
 * Returns the maximum duration of a stop, in ms. It is 2 s longer than drain and shutdown together: in the first second
 * the server itself closes the remaining connections, and in the second the rest of the log is written.
 */
export function stopDelay({ timeouts }: Pick<GatewaySettings, 'timeouts'>): Milliseconds {
  return timeouts.drain + timeouts.shutdown + 2_000
}

/**
 * Starts the gateway. Resolves when the gateway listens, even if Redis is unavailable.
 *
 * @param warnings Warnings about the configuration, which are logged. Default: none.
 * @throws {StartError | KeyError | UsersFileError} if a setting doesn't work, such as a port that is in use
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
      const { limits } = settings
      admin = await openAdmin(settings.admin, { metrics: core.metrics.registry, core, limits }, log)
    }
    log.info({ event: 'started', url, admin: admin?.url }, 'Portcullis is up')
    const { endDrain, reload } = gateway
    return { url, adminUrl: admin?.url, close: () => (closed ??= close()), endDrain, reload }
  } catch (error) {
    await gateway.close()
    throw error
  }
}

/** A listening HTTP server. */
export interface Listener {
  /** The URL that the server listens on. */
  readonly url: string
  /** Stops listening and closes open connections at once. */
  close(): Promise<void>
}

/** The listening gateway without its admin listener. */
export interface Gateway extends Listener {
  readonly core: Core
  /**
   * Drains and stops listening. Resolves when every connection has ended or was closed by force. Call `close`
   * afterwards.
   */
  readonly stop: (onListenerClosed: () => void) => Promise<void>
  /** Does the same as `RunningServer.endDrain`. */
  readonly endDrain: () => boolean
  /** Does the same as `RunningServer.reload`. */
  readonly reload: () => Promise<void>
}

/**
 * Opens the gateway without its admin listener.
 *
 * @throws {StartError | KeyError | UsersFileError} if a setting doesn't work
 */
export async function openGateway(settings: GatewaySettings, log: Logger): Promise<Gateway> {
  const app = await createApp(settings, log)
  const connections = new ClientConnections(app.server)
  limitConnections(app.server, settings.limits.connections, app.log)
  const core = await createCore(toPluginSettings(settings), app.log, islands, {
    ofProcess: true,
    loginProcesses: settings.workers,
  })
  watchLog(core.metrics.registry)
  app.addHook('onClose', () => core.close())
  try {
    await build(app, core, settings, connections)
    const url = await listen(app, settings.listen, 'listen', settings.listen.tls ? 'https' : 'http')
    const { drain, shutdown } = settings.timeouts
    return {
      url,
      core,
      stop: (onListenerClosed) =>
        connections.stop({
          drain,
          shutdown,
          onListenerClosed: () => {
            core.stop()
            onListenerClosed()
          },
        }),
      endDrain: () => connections.endDrain(),
      reload: () => reloadCertificates(app.server, settings.listen.tls, log),
      close: () => app.close(),
    }
  } catch (error) {
    await app.close()
    throw error
  }
}

/**
 * Opens the admin listener. It serves `/readyz` only with a core, and `/api` only with the setting `admin.token`, too.
 *
 * @throws {StartError} if the address can't be used
 */
export async function openAdmin(
  settings: Exclude<GatewaySettings['admin'], false>,
  parts: Omit<AdminParts, 'token' | 'hosts'>,
  log: Logger,
): Promise<Listener> {
  const { token, host, hosts } = settings
  const app = await createAdmin({ ...parts, token, hosts: [hostName(host), ...hosts] }, log)
  return { url: await listen(app, settings, 'admin'), close: () => app.close() }
}

async function build(
  app: FastifyInstance,
  core: Core,
  settings: GatewaySettings,
  connections: ClientConnections,
): Promise<void> {
  app.setErrorHandler((error, request, reply) => sendError(request, reply, toPortcullisError(error)))
  const limiters = await createRouteLimiters(settings.routes, redisKeys(settings.keyPrefix), core.redis)
  const gate = new Gate(core, settings, limiters)
  await registerStages(app, { core, settings, connections, gate })
  await registerHealth(app, core, connections)
  await registerCore(app, core, { gate, settings })
  await registerPages(app, core, settings.pages)
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
    throw listenError(error as NodeJS.ErrnoException, { host, port }, setting)
  }
  const bound = app.server.address() as AddressInfo
  return `${protocol}://${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`
}

function listenError(
  { code, message }: NodeJS.ErrnoException,
  { host, port }: { host: string; port: number },
  setting: string,
): StartError {
  switch (code) {
    case 'EADDRINUSE':
      return new StartError(`${setting}.port: ${port} is in use; choose another port, or 0 for any free port`)
    case 'EACCES':
      return new StartError(
        `${setting}.port: this user may not listen on ${port}; choose a port of 1024 or more, such as 3000`,
      )
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new StartError(
        `${setting}.host: the name ${host} has no address (${code}); write an address of this machine, or 0.0.0.0 for all of them`,
      )
    case 'EADDRNOTAVAIL':
    case 'EAFNOSUPPORT':
      return new StartError(
        `${setting}.host: ${host} is no address of this machine (${code}); write one of its own, or 0.0.0.0 for all of them`,
      )
    default:
      return new StartError(`${setting}.host: the server can’t listen on ${host}, port ${port}: ${message}`)
  }
}
