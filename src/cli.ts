#!/usr/bin/env node
/** The command line: runs a command, and turns its errors into a message and an exit code. */
import { readFileSync } from 'node:fs'
import { demo } from './commands/demo.js'
import { legacyBlog } from './commands/legacy-blog.js'
import { serve } from './commands/serve.js'
import { users } from './commands/users.js'
import type { Command } from './commands/command.js'
import { UsageError, isExpected } from './commands/command.js'
import { flushLog } from './logger.js'

const COMMANDS: readonly Command[] = [serve, demo, users, legacyBlog]

const HELP = `portcullis <command> [options]

${COMMANDS.map(({ name, summary }) => `  ${name.padEnd(14)}${summary}`).join('\n')}

Every command has --help. --version prints the version. Exit codes: 0 success, 1 failure, 2 wrong usage.`

async function main([verb, ...args]: string[]): Promise<number> {
  if (verb === undefined || verb === '--help' || verb === '-h' || verb === 'help') {
    console.log(HELP)
    return verb === undefined ? 2 : 0
  }
  if (verb === '--version' || verb === '-v') {
    console.log(readVersion())
    return 0
  }
  const command = COMMANDS.find(({ name }) => name === verb)
  try {
    if (!command) throw new UsageError(`there is no command "${verb}"`)
    if (args.includes('--help') || args.includes('-h')) {
      console.log(command.help())
      return 0
    }
    await command.run(args)
    return 0
  } catch (error) {
    if (error instanceof UsageError) {
      console.error(
        `portcullis: ${error.message}\nSee: portcullis ${command ? `${command.name} ` : ''}--help`,
      )
      return 2
    }
    if (!isExpected(error)) throw error
    console.error(`portcullis: ${error.message}`)
    return 1
  }
}

function readVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

process.exitCode = await main(process.argv.slice(2)).finally(flushLog)
