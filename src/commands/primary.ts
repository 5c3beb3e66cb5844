/**
 * The primary of `serve --workers N` with N > 1. It manages the workers and serves the admin listener, but no other
 * requests.
 */
import { fileURLToPath } from 'node:url'
import { Counter, Gauge } from 'prom-client'
import { islands } from '../../plugins/islands.js'
import { createCore } from '../app/core.js'
import { toPluginSettings } from '../config.js'
import { createMetrics } from '../metrics/metrics.js'
import { SummedMetrics } from '../metrics/summed-metrics.js'
import type { GatewaySettings } from '../config.js'
import { createLogger, watchLog } from '../logger.js'
import { openAdmin } from '../server.js'
import type { Listener, RunningServer } from '../server.js'
import { StopLog } from '../stop-log.js'
import { Workers } from '../workers/workers.js'

const PROGRAM = fileURLToPath(new URL('worker.js', import.meta.url))

/**
 * Starts the primary and its workers. Resolves when all workers listen.
 *
 * @throws {StartError | KeyError} if the settings are valid but don't work, such as a port in use
 */
export async function startWithWorkers(
  settings: GatewaySettings,
  warnings: readonly string[],
): Promise<RunningServer> {
  const log = createLogger(settings.log)
  for (const warning of warnings) log.warn({ event: 'config_warning' }, warning)
  const { admin } = settings
  const needsCore = admin !== false && admin.token !== undefined
  // The primary is an instance like each worker. Its /api can thus revoke as reliably as a worker.
  const core = needsCore
    ? await createCore(toPluginSettings(settings), log, islands, { ofProcess: true })
    : undefined
  const { registry } = core?.metrics ?? createMetrics({ ofProcess: true })
  watchLog(registry)
  const restarts = new Counter({
    name: 'portcullis_worker_restarts_total',
    help: 'Workers that replaced a dead worker',
    registers: [registry],
  })
  const workers = new Workers(PROGRAM, settings, {
    log,
    onRestart: () => restarts.inc(),
    onMeasured: (id, metrics) => summed.take(id, metrics),
    onEnd: (id) => summed.end(id),
  })
  const summed = new SummedMetrics(registry, () => workers.measure())
  void new Gauge({
    name: 'portcullis_workers',
    help: 'Workers that listen',
    registers: [registry],
    collect() {
      this.set(workers.listening)
    },
  })
  let listener: Listener | undefined
  async function close(stopLog?: StopLog): Promise<void> {
    await workers.stop(() => stopLog?.listenerClosed())
    await listener?.close()
    await core?.close()
    stopLog?.stopped()
  }
  try {
    listener =
      admin === false
        ? undefined
        : await openAdmin(admin, { metrics: summed, core, limits: settings.limits }, log)
    const [url, adminUrl] = [await workers.start(), listener?.url]
    log.info({ event: 'started', url, admin: adminUrl, workers: settings.workers }, 'Portcullis is up')
    return {
      url,
      adminUrl,
      close: () => close(new StopLog(log, settings.timeouts.drain)),
      endDrain: () => workers.endDrain(),
      reload: async () => workers.reload(),
    }
  } catch (error) {
    await close()
    throw error
  }
}
