import { PassThrough } from 'node:stream'
import t from 'tap'
import { readPassword } from '../../src/commands/read-password.js'

/** A terminal at which `lines` are typed, each when it is prompted for. */
function type(...lines: string[]) {
  const input = Object.assign(new PassThrough(), { isTTY: true })
  const output = new PassThrough()
  let shown = ''
  output.on('data', (chunk: Buffer) => {
    shown += chunk.toString()
    if (chunk.toString().endsWith(': ')) input.write(`${lines.shift() ?? '\u0004'}\r`)
  })
  return { password: readPassword(input, output), shown: () => shown }
}

t.test('at a terminal the password is prompted for twice, and never echoed', async (t) => {
  const { password, shown } = type('correct horse', 'correct horse')
  t.equal(await password, 'correct horse')
  t.equal(shown(), 'Password: \nThe same password again: \n')
})

t.test('a typing error at a terminal is noticed', async (t) => {
  await t.rejects(type('correct horse', 'correct hose').password, { name: 'UsageError', message: /differ/ })
  await t.rejects(type('').password, { name: 'UsageError', message: /no password/ })
})

t.test('without a terminal the first line is the password, without a prompt', async (t) => {
  const input = new PassThrough()
  const output = new PassThrough()
  input.end('correct horse\r\nanother line\n')
  t.equal(await readPassword(input, output), 'correct horse')
  t.equal(output.read(), null)
})
