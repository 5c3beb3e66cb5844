import { readFile, writeFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { MAX_PASSWORD_BYTES, UsersFileError, hashPassword, parseUsers } from '../login/users-file.js'
import { UsageError, readArgs } from './command.js'
import type { Command } from './command.js'

export const users: Command = {
  name: 'users',
  summary: 'adds a user to a users file, or changes the password',
  help: () => `portcullis users add NAME --file FILE

Reads the password from the standard input (its first line), and writes NAME with an argon2id hash to FILE. The gateway
reads the file again by itself.`,
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
      throw new UsageError('it is: users add NAME --file FILE')
    if (values.file === undefined) throw new UsageError('--file FILE is missing')
    const [password = ''] = (await text(process.stdin)).split(/\r?\n/)
    if (password === '') throw new UsageError('there is no password on the standard input')
    if (Buffer.byteLength(password) > MAX_PASSWORD_BYTES)
      throw new UsageError(`the password is longer than ${MAX_PASSWORD_BYTES} bytes, which no login takes`)
    const isNew = await putUser(values.file, name, password)
    console.log(isNew ? `added ${name}` : `changed the password of ${name}`)
  },
}

/** Writes a user's line: in the place of the former one, else at the end. Says whether it is a new user. */
async function putUser(file: string, name: string, password: string): Promise<boolean> {
  const line = `${name}:${await hashPassword(password)}`
  // Judged before anything is written: name and file must be good.
  parseUsers('NAME', line)
  const former = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw new UsersFileError(`${file} can’t be read: ${error.message}`)
  })
  const lines = former.split(/\r?\n/)
  if (lines.at(-1) === '') lines.pop()
  const at = lines.findIndex((one) => one.startsWith(`${name}:`))
  if (at < 0) lines.push(line)
  else lines[at] = line
  const whole = `${lines.join('\n')}\n`
  parseUsers(file, whole)
  await writeFile(file, whole, { mode: 0o600 }).catch((error: Error) => {
    throw new UsersFileError(`${file} can’t be written: ${error.message}`)
  })
  return at < 0
}
