import { readFile } from 'node:fs/promises'
import { MAX_PASSWORD_BYTES, UsersFileError, hashPassword, parseUsers } from '../login/users-file.js'
import { UsageError, readArgs } from './command.js'
import { replaceFile } from './replace-file.js'
import type { Command } from './command.js'
import { readPassword } from './read-password.js'

export const users: Command = {
  name: 'users',
  summary: 'adds a user to a users file, or changes the password of a user',
  help: () => `portcullis users add NAME --file FILE

Prompts for the password, or reads it from the first line of standard input if that isn't a terminal. Writes NAME with
an argon2id hash to FILE. A running gateway reads the changed file at the next login.`,
  async run(args) {
    const options = { file: { type: 'string' as const } }
    const { values, positionals } = readArgs({
      args: [...args],
      options,
      allowPositionals: true,
      strict: true,
    })
    const [verb, name, ...rest] = positionals
    if (verb !== 'add' || name === undefined || rest.length > 0)
      throw new UsageError('write: portcullis users add NAME --file FILE')
    if (values.file === undefined) throw new UsageError('--file FILE is missing')
    const password = await readPassword(process.stdin, process.stderr)
    if (Buffer.byteLength(password) > MAX_PASSWORD_BYTES)
      throw new UsageError(
        `the password is longer than ${MAX_PASSWORD_BYTES} bytes, so every login with it would be refused`,
      )
    const isNew = await putUser(values.file, name, password)
    console.log(isNew ? `added ${name}` : `changed the password of ${name}`)
  },
}

/**
 * Replaces the line of a user except for the scopes, or appends it. Returns true if the user is new.
 *
 * @throws {UsersFileError} if the name is invalid, or the file can't be read, parsed or written
 */
async function putUser(file: string, name: string, password: string): Promise<boolean> {
  const line = `${name}:${await hashPassword(password)}`
  // Checks the name before anything is read or written.
  parseUsers('NAME', line)
  const previous = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw new UsersFileError(`${file} can’t be read: ${error.message}`)
  })
  const lines = previous.split(/\r?\n/)
  if (lines.at(-1) === '') lines.pop()
  const at = lines.findIndex((one) => one.startsWith(`${name}:`))
  if (at < 0) lines.push(line)
  else {
    const scopes = lines[at]!.split(':')[2]
    lines[at] = scopes === undefined ? line : `${line}:${scopes}`
  }
  const whole = `${lines.join('\n')}\n`
  parseUsers(file, whole)
  await replaceFile(file, whole).catch((error: Error) => {
    throw new UsersFileError(`${file} can’t be written: ${error.message}`)
  })
  return at < 0
}
