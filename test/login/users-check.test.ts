import t from 'tap'
import type { Test } from 'tap'
import { hash as bcrypt } from '@node-rs/bcrypt'
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fingerprint } from '../../src/login/credential.js'
import { createUsersCheck } from '../../src/login/users-check.js'
import { UsersFile } from '../../src/login/users-file.js'
import type { Session } from '../../src/session/session.js'

const [first, second] = [await bcrypt('first', 4), await bcrypt('second', 4)]

async function open(t: Test, lines: readonly string[]) {
  const file = join(t.testdir(), 'users.htpasswd')
  const write = async (now: readonly string[]) => {
    await writeFile(`${file}.new`, now.join('\n'))
    await rename(`${file}.new`, file)
  }
  await write(lines)
  const users = await UsersFile.open(file, () => {})
  return { check: createUsersCheck(users), write }
}

const sessionOf = (sub: string, credential: string | undefined) =>
  ({ sub, credential, scope: 'read', claims: {} }) as Session

t.test('a fingerprint depends on the whole hash field, and is short', async (t) => {
  t.match(fingerprint(first), /^[\w-]{16}$/)
  t.equal(fingerprint(first), fingerprint(first))
  t.not(fingerprint(first), fingerprint(second))
  t.not(fingerprint(await bcrypt('first', 4)), fingerprint(first), 'the same password with another salt')
})

t.test('a session gets the scopes that the file has now', async (t) => {
  const { check, write } = await open(t, [`ada:${first}:read`])
  const session = sessionOf('ada', fingerprint(first))
  t.strictSame(await check(session), { scope: 'read' })
  await write([`ada:${first}:read write`])
  t.strictSame(await check(session), { scope: 'read write' })
  await write([`ada:${first}`])
  t.strictSame(await check(session), { scope: '' }, 'removed scopes are gone, not unchanged')
})

t.test('a session ends once its user is gone or has another hash', async (t) => {
  const { check, write } = await open(t, [`ada:${first}`, `bob:${first}`])
  const [ada, bob] = [sessionOf('ada', fingerprint(first)), sessionOf('bob', fingerprint(first))]
  await write([`bob:${second}`])
  t.equal(await check(ada), null)
  t.equal(await check(bob), null)
  await write([`bob:${first}`, `Ada:${first}`])
  t.strictSame(await check(bob), { scope: '' }, 'the same hash as before')
  t.equal(await check(ada), null, 'a user who is spelt differently is another subject')
})

t.test('a session that the host has started itself is left as it is', async (t) => {
  const { check } = await open(t, [`ada:${first}:read`])
  t.strictSame(await check(sessionOf('ada', undefined)), {})
  t.strictSame(await check(sessionOf('nobody', undefined)), {})
})

t.test('a new version that can’t be used ends nothing', async (t) => {
  const { check, write } = await open(t, [`ada:${first}:read`])
  for (const lines of [[], ['# nobody'], ['half a li']]) {
    await write(lines)
    t.strictSame(await check(sessionOf('ada', fingerprint(first))), { scope: 'read' })
  }
})
