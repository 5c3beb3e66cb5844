import closeWithGrace from 'close-with-grace'
import { loadGatewaySettings, settingFlags, settingsHelp } from '../config.js'
import type { Sources } from '../config.js'
import { startServer } from '../server.js'
import type { RunningServer } from '../server.js'
import { readArgs } from './command.js'
import type { Command } from './command.js'
import { startWithWorkers } from './workers.js'

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

/** Starts the gateway, and stops it gently on SIGTERM and SIGINT; `leave` is what is to be done after that. */
export async function startGateway(sources: Sources, leave?: () => Promise<void>): Promise<RunningServer> {
  const { settings, warnings } = loadGatewaySettings(sources)
  const start = settings.workers > 1 ? startWithWorkers : startServer
  const server = await start(settings, warnings)
  // A moment longer than the open requests have, so that their cut is the server's own.
  closeWithGrace({ delay: settings.timeouts.shutdown + 1_000, logger: false }, async ({ err }) => {
    if (err) console.error(err)
    await server.close()
    await leave?.()
  })
  return server
}
