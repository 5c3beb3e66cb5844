import { parseArgs } from 'node:util'
import type { ParseArgsConfig } from 'node:util'
import { ConfigError } from '../config.js'
import { UsersFileError } from '../login/users-file.js'
import { StartError } from '../start-error.js'
import { KeyError } from '../token/signing-key.js'

/** A verb of the command line. */
export interface Command {
  readonly name: string
  /** One line for the list of commands. */
  readonly summary: string
  help(): string
  /** Does it; a server's verb resolves when the server runs. */
  run(args: readonly string[]): Promise<void>
}

/** The command line was not understood: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** @throws {UsageError} in node:util's words, which name the argument */
export function readArgs<T extends ParseArgsConfig>(config: T): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config)
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

/** A fault of the configuration or the like: its message says it all. */
export function isExpected(error: unknown): error is Error {
  return [ConfigError, KeyError, UsersFileError, StartError].some((kind) => error instanceof kind)
}
