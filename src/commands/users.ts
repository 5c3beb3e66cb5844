import { readFile } from 'node:fs/promises'
import { MAX_PASSWORD_BYTES, UsersFileError, hashPassword, parseUsers } from '../login/users-file.js'
import { UsageError, readArgs } from './command.js'
import { replaceFile } from './replace-file.js'
import type { Command } from './command.js'
import { readPassword } from './read-password.js'

export const users: Command = {
  name: 'users',
  summary: 'adds a user to a users file, or changes the password of a user',
  help: () => `portcullis users add NAME --file FILE [--scope 'SCOPE …']

Prompts for the password, or reads it from the first line of standard input if that isn't a terminal. Writes NAME with
an argon2id hash to FILE. --scope sets the scopes of the user; without it, a known user keeps its own. A running gateway
reads the changed file within 2 s, and then ends the sessions that the user began with another password.`,
  async run(args) {
    const options = { file: { type: 'string' as const }, scope: { type: 'string' as const } }
    const { values, positionals } = readArgs({
      args: [...args],
      options,
      allowPositionals: true,
      strict: true,
    })
    const [verb, name, ...rest] = positionals
    if (verb !== 'add' || name === undefined || rest.length > 0)
      throw new UsageError('write: portcullis users add NAME --file FILE')
    if (name.includes(':')) throw new UsageError('a name in a users file can’t contain a colon')
    if (values.file === undefined) throw new UsageError('--file FILE is missing')
    const password = await readPassword(process.stdin, process.stderr)
    if (Buffer.byteLength(password) > MAX_PASSWORD_BYTES)
      throw new UsageError(
        `the password is longer than ${MAX_PASSWORD_BYTES} bytes, so every login with it would be refused`,
      )
    const isNew = await putUser(values.file, { name, password, scope: values.scope })
    console.log(isNew ? `added ${name}` : `changed the password of ${name}`)
  },
}

interface NewUser {
  readonly name: string
  readonly password: string
  /** The scopes with spaces between them. `undefined` keeps those of a known user. */
  readonly scope: string | undefined
}

/**
 * Replaces the line of a user, or appends it. Returns true if the user is new.
 *
 * @throws {UsersFileError} if the name is invalid, or the file can't be read, parsed or written
 */
async function putUser(file: string, { name, password, scope }: NewUser): Promise<boolean> {
  const bare = `${name}:${await hashPassword(password)}`
  const line = scope === undefined ? bare : `${bare}:${scope}`
  // Checks the name and the scopes before anything is read or written.
  parseUsers('the new user', line)
  const previous = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw new UsersFileError(`--file: ${file} can’t be read: ${error.message}`)
  })
  const lines = previous.split(/\r?\n/)
  if (lines.at(-1) === '') lines.pop()
  const at = lines.findIndex((one) => one.startsWith(`${name}:`))
  if (at < 0) lines.push(line)
  else {
    const previousScopes = lines[at]!.split(':')[2]
    lines[at] = scope === undefined && previousScopes !== undefined ? `${line}:${previousScopes}` : line
  }
  const whole = `${lines.join('\n')}\n`
  parseUsers(file, whole)
  await replaceFile(file, whole).catch((error: Error) => {
    throw new UsersFileError(`--file: ${file} can’t be written: ${error.message}`)
  })
  return at < 0
}
