import closeWithGrace from 'close-with-grace'
import { ConfigError, loadGatewaySettings, settingFlags, settingsHelp } from '../config.js'
import type { Sources } from '../config.js'
import { flushLog } from '../logger.js'
import { startServer, stopDelay } from '../server.js'
import { StartError } from '../start-error.js'
import type { RunningServer } from '../server.js'
import { checkSettings } from './check-settings.js'
import { readArgs } from './command.js'
import { nameSource } from './name-source.js'
import type { Command } from './command.js'
import { startWithWorkers } from './primary.js'

const STOP_SIGNALS = ['SIGTERM', 'SIGINT'] as const
/** Signals that would end a process without a handler, but never end a gateway. */
const OTHER_SIGNALS = ['SIGHUP', 'SIGUSR2'] as const

export const serve: Command = {
  name: 'serve',
  summary: 'starts the gateway: a reverse proxy that protects APIs without authentication of their own',
  help: () => `portcullis serve --config FILE [--setting value …]

--check only checks the settings and the files that they name, and starts nothing.

${settingsHelp()}`,
  async run(args) {
    const isCheck = args.includes('--check')
    const sources = readSources(args.filter((arg) => arg !== '--check'))
    try {
      if (!isCheck) return void (await startGateway(sources))
      const warnings = await checkSettings(sources)
      for (const warning of warnings) console.error(`warning: ${warning}`)
      console.log('the configuration is valid')
    } catch (error) {
      if (!(error instanceof ConfigError) || sources.file !== undefined) throw error
      throw new StartError(`${error.message}\nNo configuration file was read. Name one with --config FILE.`)
    }
  },
}

/**
 * Returns the sources of the settings: `--config FILE`, one flag per setting, and the environment.
 *
 * @throws {UsageError} for an unknown flag
 */
export function readSources(args: readonly string[]): Sources {
  const options = { ...settingFlags(), config: { type: 'string' as const } }
  const { values } = readArgs({ args: [...args], options, strict: true, allowPositionals: false })
  const { config: file, ...flags } = values
  return { flags, env: process.env, ...(typeof file === 'string' && { file }) }
}

/**
 * Starts the gateway, and stops it on SIGTERM or SIGINT. Open requests can finish. A second signal ends the drain, and
 * another one ends the process at once. SIGHUP reads the certificate again, also under `nohup`. `cleanUp` runs after the
 * stop.
 *
 * @throws {ConfigError | StartError | KeyError | UsersFileError}
 */
export async function startGateway(sources: Sources, cleanUp?: () => Promise<void>): Promise<RunningServer> {
  const { settings, warnings, sourceOf } = loadGatewaySettings(sources)
  let server: RunningServer | undefined
  const start = settings.workers > 1 ? startWithWorkers : startServer
  let stop: (() => void) | undefined
  const onSignal = (signal: NodeJS.Signals) => {
    if (stop) return stop()
    // Nothing has to be stopped yet, so the signal ends the process as it would without this handler.
    process.off(signal, onSignal)
    process.kill(process.pid, signal)
  }
  // Added before the start, which can take long, and after which the log already says that the gateway is up.
  for (const signal of STOP_SIGNALS) process.on(signal, onSignal)
  process.on('SIGHUP', () => void server?.reload())
  process.on('SIGUSR2', () => {})
  const started = await nameSource(start(settings, warnings), sourceOf)
  server = started
  let isStopping = false
  const options = {
    delay: stopDelay(settings),
    logger: false as const,
    skip: [...STOP_SIGNALS, ...OTHER_SIGNALS],
  }
  const grace = closeWithGrace(options, async ({ err }) => {
    isStopping = true
    if (err) {
      console.error(err)
      started.endDrain()
    }
    await started.close()
    await cleanUp?.()
    await flushLog()
  })
  stop = () => {
    if (!isStopping) void grace.close()
    else if (!started.endDrain()) void flushLog().then(() => process.exit(1))
  }
  return started
}
