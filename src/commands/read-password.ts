import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { Writable } from 'node:stream'
import { UsageError } from './command.js'

/** The standard input of a process, as `process.stdin` is. */
export type Input = NodeJS.ReadableStream & { readonly isTTY?: boolean }

/**
 * Reads a password. At a terminal it is prompted for twice, and isn't echoed. Otherwise the first line of the input is
 * the password.
 *
 * @throws {UsageError} if there is none, or the second one differs
 */
export async function readPassword(input: Input, prompts: NodeJS.WritableStream): Promise<string> {
  if (input.isTTY !== true) {
    const [password = ''] = (await text(input as AsyncIterable<Uint8Array> & Input)).split(/\r?\n/)
    if (password !== '') return password
    throw new UsageError('there is no password on standard input; its first line must be the password')
  }
  // readline echoes what is typed to its output, so this output is thrown away.
  const output = new Writable({ write: (_chunk, _encoding, done) => done() })
  const terminal = createInterface({ input, output, terminal: true })
  const lines = terminal[Symbol.asyncIterator]()
  const ask = async (prompt: string): Promise<string> => {
    prompts.write(prompt)
    const { value, done } = await lines.next()
    prompts.write('\n')
    return done === true ? '' : (value as string)
  }
  try {
    const password = await ask('Password: ')
    if (password === '') throw new UsageError('no password was entered')
    if ((await ask('The same password again: ')) !== password) throw new UsageError('the passwords differ')
    return password
  } finally {
    terminal.close()
  }
}
