import { parseArgs } from 'node:util'
import type { ParseArgsConfig } from 'node:util'
import { ConfigError } from '../config.js'
import { UsersFileError } from '../login/users-file.js'
import { StartError } from '../start-error.js'
import { KeyError } from '../token/signing-key.js'

/** A command, such as `serve`. */
export interface Command {
  readonly name: string
  /** One line for the list of commands. */
  readonly summary: string
  help(): string
  /** Runs the command. A command that starts a server resolves when the server listens. */
  run(args: readonly string[]): Promise<void>
}

/** A wrong command line. The exit code is 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/**
 * Parses arguments with `parseArgs` of node:util.
 *
 * @throws {UsageError} with the message of node:util, which names the argument
 */
export function readArgs<T extends ParseArgsConfig>(config: T): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config)
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

/** Returns true for errors that the user can correct. Their message is shown without a stack. */
export function isExpected(error: unknown): error is Error {
  return [ConfigError, KeyError, UsersFileError, StartError].some((kind) => error instanceof kind)
}
