import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { SIGNING_KEY_FILE, loadKey } from '../../src/token/key-directory.js'

const PROGRAM = fileURLToPath(new URL('../fixtures/load-key.js', import.meta.url))
const mode = (path: string) => statSync(path).mode & 0o777

t.test('20 concurrent loads in one process create one key', async (t) => {
  const dir = join(t.testdir(), 'not', 'there', 'yet')
  const loaded = await Promise.all(Array.from({ length: 20 }, () => loadKey({ algorithm: 'ES256', dir })))
  t.equal(new Set(loaded.map(({ key }) => key.kid)).size, 1)
  t.equal(loaded.filter(({ createdFile }) => createdFile !== undefined).length, 1)
  t.strictSame(readdirSync(dir), ['.gitignore', SIGNING_KEY_FILE], 'and nothing is left over')
})

t.test('6 processes that start at once create one key', async (t) => {
  const dir = join(t.testdir(), 'keys')
  const children = Array.from({ length: 6 }, () => fork(PROGRAM, [dir]))
  t.teardown(() => children.forEach((child) => child.kill()))
  // All are up before the first begins, so that they meet.
  await Promise.all(children.map((child) => once(child, 'message')))
  const answers = Promise.all(children.map(async (child) => (await once(child, 'message'))[0]))
  const exits = Promise.all(children.map((child) => once(child, 'exit')))
  for (const child of children) child.send('go')

  const loaded = (await answers) as { kid: string; created: boolean; warnings: string[] }[]
  t.equal(new Set(loaded.map(({ kid }) => kid)).size, 1)
  t.equal(loaded.filter(({ created }) => created).length, 1)
  t.strictSame(
    loaded.flatMap(({ warnings }) => warnings),
    [],
  )
  t.strictSame(readdirSync(dir), ['.gitignore', SIGNING_KEY_FILE], 'and nothing is left over')
  t.equal(mode(join(dir, SIGNING_KEY_FILE)), 0o600)
  t.strictSame(
    (await exits).map(([code]) => code),
    children.map(() => 0),
  )
})
