import closeWithGrace from 'close-with-grace'
import { loadGatewaySettings, settingFlags, settingsHelp } from '../config.js'
import type { Sources } from '../config.js'
import { startServer, stopDelay } from '../server.js'
import type { RunningServer } from '../server.js'
import { readArgs } from './command.js'
import type { Command } from './command.js'
import { startWithWorkers } from './primary.js'

const STOP_SIGNALS = ['SIGTERM', 'SIGINT'] as const

export const serve: Command = {
  name: 'serve',
  summary: 'the standalone gateway: a reverse proxy in front of APIs that know nothing of tokens',
  help: () => `portcullis serve --config FILE [--setting value …]

${settingsHelp()}`,
  async run(args) {
    await startGateway(readSources(args))
  },
}

/** The settings' sources of a command line: `--config FILE`, a flag a setting, and the environment. */
export function readSources(args: readonly string[]): Sources {
  const options = { ...settingFlags(), config: { type: 'string' as const } }
  const { values } = readArgs({ args: [...args], options, strict: true, allowPositionals: false })
  const { config: file, ...flags } = values
  return { flags, env: process.env, ...(typeof file === 'string' && { file }) }
}

/**
 * Starts the gateway, and stops it gently on SIGTERM and SIGINT. The second of them ends the drain, and any more ends
 * the process at once. `leave` is what is to be done after the stop.
 */
export async function startGateway(sources: Sources, leave?: () => Promise<void>): Promise<RunningServer> {
  const { settings, warnings } = loadGatewaySettings(sources)
  const start = settings.workers > 1 ? startWithWorkers : startServer
  const server = await start(settings, warnings)
  let isStopping = false
  const options = { delay: stopDelay(settings), logger: false as const, skip: [...STOP_SIGNALS] }
  const grace = closeWithGrace(options, async ({ err }) => {
    isStopping = true
    if (err) {
      console.error(err)
      server.endDrain()
    }
    await server.close()
    await leave?.()
  })
  const onSignal = () => {
    if (!isStopping) void grace.close()
    else if (!server.endDrain()) process.exit(1)
  }
  for (const signal of STOP_SIGNALS) process.on(signal, onSignal)
  return server
}
