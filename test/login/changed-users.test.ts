import t from 'tap'
import type { Test } from 'tap'
import { hash as bcrypt } from '@node-rs/bcrypt'
import { rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Log } from '../../src/logger.js'
import { ChangedUsers } from '../../src/login/changed-users.js'
import type { EndOutdated } from '../../src/login/changed-users.js'
import { fingerprint } from '../../src/login/credential.js'
import { UsersFile } from '../../src/login/users-file.js'
import type { Session } from '../../src/session/session.js'
import { soon } from '../support/gateway-process.js'

const [first, second, third] = [await bcrypt('first', 4), await bcrypt('second', 4), await bcrypt('third', 4)]

interface Rig {
  readonly users: UsersFile
  readonly file: string
  readonly records: Record<string, unknown>[]
  write(lines: readonly string[]): Promise<void>
  /** Waits until all work that the changes so far have caused is done. */
  done(): Promise<void>
  close(): void
}

/** @param end Replaces the end of sessions. */
async function open(t: Test, lines: readonly string[], end: EndOutdated): Promise<Rig> {
  const file = join(t.testdir(), 'users.htpasswd')
  const records: Record<string, unknown>[] = []
  const write = (record: object) => void records.push({ ...record })
  const log = { info: write, warn: write, error: write, debug: write } as unknown as Log
  const replace = async (now: readonly string[]) => {
    await writeFile(`${file}.new`, now.join('\n'))
    await rename(`${file}.new`, file)
  }
  await replace(lines)
  const users = await UsersFile.open(file, () => {})
  const changed = new ChangedUsers(users, end, log)
  t.teardown(() => changed.close())
  const done = async () => {
    await soon('the work is done', () => records.some(({ event }) => event === 'outdated_sessions_ended'))
  }
  return { users, file, records, write: replace, done, close: () => changed.close() }
}

const sessionOf = (sub: string, hash: string | undefined) =>
  ({ sub, credential: hash && fingerprint(hash) }) as Session

t.test('a change is noticed without a login, and only changed and removed users are affected', async (t) => {
  const calls: string[][] = []
  const { write, records, done } = await open(
    t,
    [`ada:${first}`, `bob:${first}:read`, `eve:${first}`, `zoe:${first}`],
    async (subs, isOutdated) => {
      calls.push([...subs])
      t.ok(isOutdated(sessionOf('ada', first)), 'another hash')
      t.notOk(isOutdated(sessionOf('ada', second)), 'a login with the new password')
      t.notOk(isOutdated(sessionOf('ada', undefined)), 'started by the host')
      t.ok(isOutdated(sessionOf('eve', first)), 'removed')
      t.notOk(isOutdated(sessionOf('bob', first)), 'other scopes only')
      return 2
    },
  )
  await write([`zoe:${first}`, `ada:${second}`, `bob:${first}:read write`, `new:${first}`])
  await done()
  t.strictSame(calls, [['ada', 'eve']])
  t.match(records, [
    { event: 'users_changed', users: 4, added: 1, removed: 1, changed: 1 },
    { event: 'outdated_sessions_ended', sessions: 2 },
  ])
})

t.test('nothing ends by a version that is unreadable, empty or broken', async (t) => {
  const { users, file, write, records } = await open(t, [`ada:${first}`], async () => t.fail('ends') as never)
  for (const lines of [[], ['# nobody'], ['half a li']]) {
    await write(lines)
    await users.refresh()
  }
  await rm(file)
  await users.refresh()
  await write([`ada:${first}:read`])
  await users.refresh()
  await soon('the last version was read', () => records.length > 0)
  t.match(records, [{ event: 'users_changed', removed: 0, changed: 0 }])
  t.equal(records.length, 1)
})

t.test('a user who is back with the same hash keeps the sessions', async (t) => {
  const { users, write, done } = await open(t, [`ada:${first}`, `bob:${first}`], async (subs, isOutdated) => {
    t.strictSame(subs, ['ada'])
    t.notOk(isOutdated(sessionOf('ada', first)))
    return 0
  })
  await write([`bob:${first}`])
  await users.refresh()
  await write([`ada:${first}`, `bob:${first}`])
  await done()
})

t.test('what fails is repeated until it is done, with the users as they are then', async (t) => {
  const outdated: boolean[] = []
  let calls = 0
  const rig = await open(t, [`ada:${first}`, `bob:${first}`], async (subs, isOutdated) => {
    calls += 1
    if (calls === 1) await rig.write([`ada:${third}`, `bob:${first}`])
    if (calls <= 2) throw new Error('Redis is down')
    t.strictSame(subs, ['ada'])
    outdated.push(isOutdated(sessionOf('ada', second)), isOutdated(sessionOf('ada', third)))
    return 1
  })
  await rig.write([`ada:${second}`, `bob:${first}`])
  await rig.done()
  t.strictSame(outdated, [true, false])
  const failures = rig.records.filter(({ event }) => event === 'outdated_sessions_failed')
  t.match(failures, [
    { users: 1, retryAfter: 0.5 },
    { users: 1, retryAfter: 1 },
  ])
})

t.test('a user who changes once more while sessions are ended is processed again', async (t) => {
  let calls = 0
  const rig = await open(t, [`ada:${first}`, `bob:${first}`], async (subs) => {
    calls += 1
    t.strictSame(subs, ['ada'])
    if (calls === 1) {
      await rig.write([`ada:${third}`, `bob:${first}`])
      await rig.users.refresh()
      await soon('the second change was noticed', () => rig.records.length === 2)
    }
    return 1
  })
  await rig.write([`ada:${second}`, `bob:${first}`])
  await rig.done()
  t.equal(calls, 2)
})

t.test('thousands of removed users are processed one batch after another', async (t) => {
  const lines = Array.from({ length: 3_000 }, (_, i) => `user-${i}:${first}`)
  const seen = new Set<string>()
  let running = 0
  const { users, write, done } = await open(t, [`ada:${first}`, ...lines], async (subs) => {
    running += 1
    t.equal(running, 1)
    t.ok(subs.length <= 50)
    for (const sub of subs) seen.add(sub)
    await new Promise(setImmediate)
    running -= 1
    return 0
  })
  await write([`ada:${first}`])
  await users.refresh()
  await done()
  t.equal(seen.size, 3_000)
})

t.test('after close, no session is ended any more', async (t) => {
  let isClosed = false
  const rig = await open(t, [`ada:${first}`, `bob:${first}`], async () => {
    rig.close()
    isClosed = true
    throw new Error('the connection is closed')
  })
  await rig.write([`bob:${first}`])
  await rig.users.refresh()
  await soon('the work has begun', () => isClosed)
  await rig.write([`bob:${second}`])
  await rig.users.refresh()
  t.strictSame(
    rig.records.map(({ event }) => event),
    ['users_changed'],
  )
})
