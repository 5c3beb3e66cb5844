import t from 'tap'
import type { Test } from 'tap'
import { hash as bcrypt } from '@node-rs/bcrypt'
import fs from 'node:fs'
import { mkdtemp, rename, rm, stat, writeFile } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { UsersFile } from '../../src/login/users-file.js'

/** Returns the name of the user whose password it is, as the file spells it. */
async function nameOf(users: UsersFile, name: string, password: string): Promise<string | undefined> {
  return (await users.verify(name, password))?.name
}

const cheap = await bcrypt('right', 4)

async function rig(t: Test, lines: readonly string[]) {
  const dir = await mkdtemp(join(tmpdir(), 'portcullis-users-'))
  t.teardown(() => rm(dir, { recursive: true }))
  const file = join(dir, 'users.htpasswd')
  const warnings: string[] = []
  /** In one step, and never with the version of an earlier file. */
  async function write(now: readonly string[]): Promise<void> {
    await writeFile(`${file}.new`, now.join('\n'))
    await rename(`${file}.new`, file)
  }
  await write(lines)
  return { file, warnings, write, open: () => UsersFile.open(file, (warning) => void warnings.push(warning)) }
}

const many = (count: number) => Array.from({ length: count }, (_, i) => `user-${i}@example.com:${cheap}`)

t.test('a file of 100,000 users is read again in many turns of the event loop', async (t) => {
  const { write, open } = await rig(t, many(100_000))
  const users = await open()
  await write([...many(100_000), `new:${cheap}`])
  // CPU time rather than time: what else the machine does counts less.
  const turns: number[] = []
  let last = process.cpuUsage()
  let isRunning = true
  const tick = () => {
    const { user, system } = process.cpuUsage(last)
    turns.push(user + system)
    last = process.cpuUsage()
    if (isRunning) setImmediate(tick)
  }
  setImmediate(tick)
  t.equal(await nameOf(users, 'new', 'right'), 'new', 'the login that finds the change sees the new file')
  isRunning = false
  const all = turns.reduce((sum, turn) => sum + turn, 0)
  const longest = Math.max(...turns)
  t.ok(longest < all / 3, `the longest of ${turns.length} turns took ${longest} of ${all} µs`)
})

t.test('a user who is removed while the password is hashed can’t log in', async (t) => {
  const { file, write, open } = await rig(t, [`alice:${await bcrypt('right', 12)}`, `bob:${cheap}`])
  const users = await open()
  const order: string[] = []
  const alice = nameOf(users, 'alice', 'right').finally(() => order.push('alice'))
  // Her login has looked at the file, and hashes.
  for (let i = 0; i < 5; i += 1) await stat(file)
  await write([`bob:${cheap}`])
  t.equal(await nameOf(users, 'bob', 'right').finally(() => order.push('bob')), 'bob')
  t.equal(await alice, undefined)
  t.strictSame(order, ['bob', 'alice'], 'the reload had finished before')
})

t.test('nor can one whose password is changed meanwhile', async (t) => {
  const { file, write, open } = await rig(t, [`alice:${await bcrypt('right', 12)}`, `bob:${cheap}`])
  const users = await open()
  const alice = nameOf(users, 'alice', 'right')
  for (let i = 0; i < 5; i += 1) await stat(file)
  await write([`alice:${await bcrypt('changed', 4)}`, `bob:${cheap}`])
  t.equal(await nameOf(users, 'bob', 'right'), 'bob')
  t.equal(await alice, undefined)
})

t.test('an invalid change is read and logged once, not at every login', async (t) => {
  const { file, write, open, warnings } = await rig(t, [`alice:${cheap}`])
  const users = await open()
  const reads = countReads(t)
  await write([`alice:${cheap}`, 'broken'])
  for (let i = 0; i < 3; i += 1) {
    const logins = Array.from({ length: 10 }, () => nameOf(users, 'alice', 'right'))
    t.ok((await Promise.all(logins)).every((name) => name === 'alice'))
  }
  t.equal(warnings.length, 1)
  t.equal(reads(), 1)
  await write([`alice:${cheap}`, 'broken'])
  t.equal(await nameOf(users, 'alice', 'right'), 'alice')
  t.equal(warnings.length, 2, 'another change, which is broken as well')
  for (let i = 0; i < 2; i += 1) {
    await rm(file)
    for (let login = 0; login < 3; login += 1) t.equal(await nameOf(users, 'alice', 'right'), 'alice')
    await write([`alice:${cheap}`])
    t.equal(await nameOf(users, 'alice', 'right'), 'alice')
  }
  t.equal(warnings.filter((warning) => warning.includes('ENOENT')).length, 2, 'each time that it was gone')
})

t.test('concurrent logins after a change read the file once, and all use the new one', async (t) => {
  const { write, open } = await rig(t, [...many(5_000), `alice:${cheap}`])
  const users = await open()
  const reads = countReads(t)
  await write([...many(5_000), `bob:${cheap}`])
  const logins = ['alice', 'bob', 'alice', 'bob', 'alice', 'bob'].map((name) => nameOf(users, name, 'right'))
  t.strictSame(await Promise.all(logins), [undefined, 'bob', undefined, 'bob', undefined, 'bob'])
  t.equal(reads(), 1)
})

t.test('a file that changes while it is read is read again', async (t) => {
  const { write, open } = await rig(t, [`alice:${cheap}`])
  const users = await open()
  await write([`alice:${cheap}`, `bob:${cheap}`])
  const reads = countReads(t, async (count) => {
    if (count === 1) await write([`bob:${cheap}`])
  })
  t.equal(await nameOf(users, 'alice', 'right'), undefined, 'what was read first had her')
  t.equal(await nameOf(users, 'bob', 'right'), 'bob')
  t.equal(reads(), 2)
})

t.test('a file that keeps changing delays no login for good', async (t) => {
  const { write, open } = await rig(t, [`alice:${cheap}`])
  const users = await open()
  await write([`alice:${cheap}`, `bob:${cheap}`])
  countReads(t, async (count) => write([`alice:${cheap}`, `bob:${cheap}`, `user-${count}:${cheap}`]))
  t.equal(await nameOf(users, 'bob', 'right'), 'bob')
})

t.test('a login during a reload that has missed a change waits for the next one', async (t) => {
  const { write, open } = await rig(t, [`alice:${cheap}`, `bob:${cheap}`])
  const users = await open()
  let late: Promise<string | undefined> | undefined
  countReads(t, async (count) => {
    // Each read is overtaken by a change; only the fourth, after the first reload has given up, has no alice.
    if (count < 3) await write([`alice:${cheap}`, `bob:${cheap}`, `user-${count}:${cheap}`])
    if (count === 3) {
      await write([`bob:${cheap}`])
      late = nameOf(users, 'alice', 'right')
    }
  })
  await write([`bob:${cheap}`, `alice:${cheap}`, `carol:${cheap}`])
  t.equal(await nameOf(users, 'bob', 'right'), 'bob')
  t.equal(await late, undefined)
})

t.test('a name is found across the chunks of the file, and an endless line is refused', async (t) => {
  const lines = many(3_000).map((line, i) => line.replace('@', `-zoë-${'ö'.repeat(i % 7)}@`))
  const users = await (await rig(t, lines)).open()
  for (let i = 0; i < 3_000; i += 250) {
    const name = lines[i]!.split(':')[0]!
    t.equal(await nameOf(users, name, 'right'), name)
  }
  const { open } = await rig(t, [`alice:${cheap}`, 'x'.repeat(200_000)])
  await t.rejects(open(), /line 2: the line is longer than 65536 characters/)
})

/** Counts how often a file is read, and does something at the end of each time. */
function countReads(t: Test, atEnd: (count: number) => Promise<void> = async () => {}): () => number {
  const { createReadStream } = fs
  let count = 0
  const counting = ((...args: Parameters<typeof createReadStream>) => {
    const mine = (count += 1)
    return Readable.from(
      (async function* () {
        for await (const chunk of createReadStream(...args)) yield chunk as string
        await atEnd(mine)
      })(),
    )
  }) as unknown as typeof createReadStream
  const replace = (by: typeof createReadStream) => {
    fs.createReadStream = by
    syncBuiltinESMExports()
  }
  replace(counting)
  t.teardown(() => replace(createReadStream))
  return () => count
}
