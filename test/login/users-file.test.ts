import t from 'tap'
import type { Test } from 'tap'
import { hash as bcrypt } from '@node-rs/bcrypt'
import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MAX_PASSWORD_BYTES, UsersFile, hashPassword, normaliseName } from '../../src/login/users-file.js'

/** Returns the name of the user whose password it is, as the file spells it. */
async function nameOf(users: UsersFile, name: string, password: string): Promise<string | undefined> {
  return (await users.verify(name, password))?.name
}

const argon2id = await hashPassword('right')
const bcrypt2b = await bcrypt('right', 4)

interface Rig {
  readonly file: string
  readonly warnings: string[]
  write(...lines: string[]): Promise<void>
  open(): Promise<UsersFile>
}

async function rig(t: Test, ...lines: string[]): Promise<Rig> {
  const dir = await mkdtemp(join(tmpdir(), 'portcullis-users-'))
  t.teardown(() => rm(dir, { recursive: true }))
  const file = join(dir, 'users.htpasswd')
  const warnings: string[] = []
  let written = 0
  async function write(...now: string[]): Promise<void> {
    await writeFile(file, now.join('\n'))
    // so that two changes within a tick of the file system's clock are two
    written += 1
    await utimes(file, written, written)
  }
  await write(...lines)
  return { file, warnings, write, open: () => UsersFile.open(file, (warning) => void warnings.push(warning)) }
}

t.test('argon2id and each spelling of bcrypt accept the right password only', async (t) => {
  const tail = bcrypt2b.slice(4)
  const lines = [`argon:${argon2id}`, ...['2a', '2b', '2y'].map((kind) => `b${kind}:$${kind}$${tail}`)]
  const users = await (await rig(t, ...lines)).open()
  for (const name of ['argon', 'b2a', 'b2b', 'b2y']) {
    t.equal(await nameOf(users, name, 'right'), name)
    for (const wrong of ['', 'Right', 'right ', 'right\0', 'right\0x', argon2id, bcrypt2b]) {
      t.equal(await nameOf(users, name, wrong), undefined, `${name} ${JSON.stringify(wrong)}`)
    }
  }
  t.equal(await nameOf(users, 'nobody', 'right'), undefined, 'though it is somebody’s password')
})

t.test('a hash of hashPassword is accepted in the file', async (t) => {
  const users = await (await rig(t, `alice:${await hashPassword('pässwörd \u{1f511}')}`)).open()
  t.equal(await nameOf(users, 'alice', 'pässwörd \u{1f511}'), 'alice')
})

t.test('a name matches in any equivalent spelling, and is reported as in the file', async (t) => {
  const users = await (await rig(t, `Zoë:${bcrypt2b}`, `ﬁnn:${bcrypt2b}`)).open()
  for (const name of ['Zoë', 'zoë', 'ZOË', ' zoë\t', 'zoe\u0308'])
    t.equal(await nameOf(users, name, 'right'), 'Zoë')
  t.equal(await nameOf(users, 'FINN', 'right'), 'ﬁnn')
  for (const name of ['zoe', 'zo ë', '']) t.equal(await nameOf(users, name, 'right'), undefined)
  t.equal(normaliseName(' ＡLICE '), 'alice')
})

t.test('names of Object.prototype are no users', async (t) => {
  const users = await (await rig(t, `alice:${bcrypt2b}`)).open()
  for (const name of ['__proto__', 'constructor', 'toString']) {
    t.equal(await nameOf(users, name, 'right'), undefined)
  }
})

t.test('empty lines, comments and CRLF are accepted', async (t) => {
  const { open, warnings } = await rig(t, '# users', '', `alice:${bcrypt2b}\r`, '   ', '#bob:x', '')
  t.equal(await nameOf(await open(), 'alice', 'right'), 'alice')
  t.same(warnings, [])
})

t.test('a file without users is a mistake that says what to do', async (t) => {
  for (const lines of [[''], ['# nobody', '', ' '], ['\ufeff']]) {
    const { open, file } = await rig(t, ...lines)
    await t.rejects(open(), {
      name: 'UsersFileError',
      message: `login.users: ${file} has no users; add one with: portcullis users add NAME --file ${file}`,
    })
  }
})

t.test('a file from another editor is read: byte order mark, line ends, blanks beside a name', async (t) => {
  const files = [
    [`\ufeffalice:${bcrypt2b}`],
    [`  alice : ${bcrypt2b} `],
    [`\talice:${bcrypt2b}\t`],
    [`#x\ralice:${bcrypt2b}\rbob:${bcrypt2b}\r`],
    [`\ufeff# users\r`, `alice:${bcrypt2b}\r`, '\r'],
    ['  # a comment', `alice:${bcrypt2b}`],
  ]
  for (const lines of files) {
    const users = await (await rig(t, ...lines)).open()
    t.equal(await nameOf(users, 'alice', 'right'), 'alice', JSON.stringify(lines))
  }
  const { open, file } = await rig(t, '')
  await writeFile(file, Buffer.from(`\ufeffalice:${bcrypt2b}\r\n`, 'utf16le'))
  await t.rejects(open(), { message: /line 1: the file isn’t UTF-8/ })
  await writeFile(file, Buffer.from(`Zoë:${bcrypt2b}\n`, 'latin1'))
  await t.rejects(open(), { message: /line 1: the file isn’t UTF-8/ })
})

t.test('a password is right however its letters and blanks are composed', async (t) => {
  const [composed, decomposed] = ['pässwörd 1', 'pa\u0308sswo\u0308rd 1']
  const lines = [
    `ours:${await hashPassword(decomposed)}`,
    `mac:${await bcrypt(decomposed, 4)}`,
    `linux:${await bcrypt(composed, 4)}`,
    `blank:${await bcrypt('a b', 4)}`,
  ]
  const users = await (await rig(t, ...lines)).open()
  for (const name of ['ours', 'mac', 'linux']) {
    for (const password of [composed, decomposed]) t.equal(await nameOf(users, name, password), name)
    for (const password of ['passwörd 1', 'PÄSSWÖRD 1', 'pässwörd1'])
      t.equal(await nameOf(users, name, password), undefined)
  }
  t.equal(await nameOf(users, 'blank', 'a\u00a0b'), 'blank')
})

t.test('the third field has the scopes', async (t) => {
  const lines = [
    `ada:${bcrypt2b}:admin`,
    `bob:${bcrypt2b}: read  write `,
    `eve:${bcrypt2b}:`,
    `joe:${bcrypt2b}`,
  ]
  const users = await (await rig(t, ...lines)).open()
  t.equal((await users.verify('ada', 'right'))?.scope, 'admin')
  t.equal((await users.verify('bob', 'right'))?.scope, 'read write')
  t.equal((await users.verify('eve', 'right'))?.scope, undefined)
  t.equal((await users.verify('joe', 'right'))?.scope, undefined)
  for (const [line, message] of [
    [`ada:${bcrypt2b}:a"b`, /line 1: the scopes must be words/],
    [`ada:${bcrypt2b}:é`, /line 1: the scopes must be words/],
    [`ada:${bcrypt2b}:admin:more`, /line 1: a line must be NAME:HASH or NAME:HASH:SCOPES/],
  ] as const)
    await t.rejects((await rig(t, line)).open(), { message })
})

t.test('a password over the maximum length is wrong, whatever it begins with', async (t) => {
  const long = 'é'.repeat(MAX_PASSWORD_BYTES / 2)
  const users = await (await rig(t, `alice:${await hashPassword(long)}`, `bob:${bcrypt2b}`)).open()
  t.equal(await nameOf(users, 'alice', long), 'alice')
  t.equal(await nameOf(users, 'alice', `${long}x`), undefined)
  t.equal(await nameOf(users, 'bob', `right${'x'.repeat(MAX_PASSWORD_BYTES)}`), undefined)
})

t.test('the weakest accepted hashes can be verified', async (t) => {
  const least = ['$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAA$', '$argon2id$v=19$m=16,t=1,p=2$AAAAAAAAAAA$']
  const users = await (await rig(t, ...least.map((start, i) => `u${i}:${start}${'A'.repeat(22)}`))).open()
  for (const name of ['u0', 'u1']) t.equal(await nameOf(users, name, 'x'), undefined)
})

const BODY = bcrypt2b.slice(7)
const SALT = 'A'.repeat(22)
const OUT = 'A'.repeat(43)

t.test('the error for an invalid line names the file and the line number, but not the hash', async (t) => {
  const bad: [string, RegExp][] = [
    ['alice', /NAME:HASH/],
    [`:${bcrypt2b}`, /NAME:HASH/],
    ['alice:', /argon2id .* or bcrypt/],
    ['alice:hunter2', /argon2id .* or bcrypt/],
    ['alice:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=', /argon2id .* or bcrypt/],
    ['alice:$apr1$salt$hash', /argon2id .* or bcrypt/],
    [`alice:$argon2i$v=19$m=19456,t=2,p=1$${SALT}$${OUT}`, /argon2id .* or bcrypt/],
    [`alice:$argon2id$v=16$m=19456,t=2,p=1$${SALT}$${OUT}`, /argon2id .* or bcrypt/],
    [`alice:$argon2id$v=19$m=1,t=2,p=1$${SALT}$${OUT}`, /argon2id .* or bcrypt/],
    [`alice:$argon2id$v=19$m=19456,t=0,p=1$${SALT}$${OUT}`, /argon2id .* or bcrypt/],
    [`alice:$argon2id$v=19$m=19456,t=2,p=0$${SALT}$${OUT}`, /argon2id .* or bcrypt/],
    [`alice:$argon2id$v=19$m=15,t=2,p=2$${SALT}$${OUT}`, /argon2id .* or bcrypt/],
    [`alice:$argon2id$v=19$m=019456,t=2,p=1$${SALT}$${OUT}`, /argon2id .* or bcrypt/],
    [`alice:$argon2id$v=19$m=19456,t=2,p=1$${SALT}$${OUT.slice(1)}B`, /argon2id .* or bcrypt/],
    [`alice:$argon2id$v=19$m=19456,t=2,p=1$${SALT}$${OUT.slice(2)}`, /argon2id .* or bcrypt/],
    ['alice:$argon2id$v=19$m=19456,t=2,p=1$AA$AA', /argon2id .* or bcrypt/],
    [`alice:$2b$99$${BODY}`, /argon2id .* or bcrypt/],
    [`alice:$2b$03$${BODY}`, /argon2id .* or bcrypt/],
    [`alice:$2x$04$${BODY}`, /argon2id .* or bcrypt/],
    [`alice:${bcrypt2b}x`, /argon2id .* or bcrypt/],
    [`${'x'.repeat(257)}:${bcrypt2b}`, /longer than 256/],
    [`BOB:${bcrypt2b}`, /used twice \(before as "bob"\)/],
    [` bob :${bcrypt2b}`, /used twice/],
  ]
  for (const [line, message] of bad) {
    const { file, open } = await rig(t, '# users', `bob:${bcrypt2b}`, line)
    const error = await open().then(
      () => undefined,
      (reason: Error) => reason,
    )
    t.equal(error?.name, 'UsersFileError', line.slice(0, 60))
    t.equal(error?.message.startsWith(`login.users: ${file}, line 3: `), true)
    t.match(error?.message ?? '', message)
    t.notMatch(error?.message ?? '', /hunter2|AAAA|\$2b\$04/)
  }
})

t.test('a missing file is reported when it is opened', async (t) => {
  const { file, open } = await rig(t)
  await rm(file)
  await t.rejects(open(), {
    name: 'UsersFileError',
    message: new RegExp(`^login.users: the users file ${file} can.t be read: ENOENT`),
  })
})

t.test('the file is read again when it changes', async (t) => {
  const { write, open, warnings } = await rig(t, `alice:${bcrypt2b}`)
  const users = await open()
  await write(`bob:${argon2id}`)
  t.equal(await nameOf(users, 'bob', 'right'), 'bob')
  t.equal(await nameOf(users, 'alice', 'right'), undefined)
  await write(`bob:${await bcrypt('changed', 4)}`)
  t.equal(await nameOf(users, 'bob', 'right'), undefined)
  t.equal(await nameOf(users, 'bob', 'changed'), 'bob')
  t.same(warnings, [])
})

t.test('an invalid change keeps the previous users, and is logged', async (t) => {
  const { file, write, open, warnings } = await rig(t, `alice:${bcrypt2b}`)
  const users = await open()
  await write(`bob:${bcrypt2b}`, 'carol')
  t.equal(await nameOf(users, 'alice', 'right'), 'alice')
  t.equal(await nameOf(users, 'bob', 'right'), undefined)
  t.match(warnings[0], /line 2/)
  await rm(file)
  t.equal(await nameOf(users, 'alice', 'right'), 'alice')
  t.match(warnings.at(-1), /ENOENT/)
  await write(`bob:${bcrypt2b}`)
  t.equal(await nameOf(users, 'bob', 'right'), 'bob')
  t.equal(await nameOf(users, 'alice', 'right'), undefined)
})

/**
 * The least work of some logins of each kind, in ms of this process's CPU time, on whichever thread: unlike the time on
 * the wall it doesn't grow with what else the machine does.
 */
async function work(
  users: UsersFile,
  names: readonly [string, string],
  times: number,
): Promise<[number, number]> {
  const taken: [number[], number[]] = [[], []]
  for (let i = 0; i < times; i += 1) {
    for (const which of [0, 1] as const) {
      const before = process.cpuUsage()
      await nameOf(users, names[which], 'wrong')
      const { user, system } = process.cpuUsage(before)
      taken[which].push((user + system) / 1000)
    }
  }
  return [Math.min(...taken[0]), Math.min(...taken[1])]
}

t.test('an unknown user costs as much work as a known one, whichever hashes there are', async (t) => {
  const kinds = {
    argon2id,
    'bcrypt, cheap': await bcrypt('right', 5),
    'bcrypt, dear': await bcrypt('right', 10),
  }
  for (const [kind, hash] of Object.entries(kinds)) {
    const users = await (await rig(t, `alice:${hash}`)).open()
    const [known, unknown] = await work(users, ['alice', 'nobody'], 9)
    const ratio = unknown / known
    t.ok(ratio > 0.5 && ratio < 2, `${kind}: known ${known.toFixed(1)} ms, unknown ${unknown.toFixed(1)} ms`)
  }
})

t.test('with two kinds of hashes, an unknown name always costs the same kind', async (t) => {
  const users = await (await rig(t, `a:${await bcrypt('right', 4)}`, `b:${await bcrypt('right', 9)}`)).open()
  const [cheap, dear] = await work(users, ['a', 'b'], 5)
  t.ok(dear > 8 * cheap, 'the kinds can be told apart')
  const kinds = []
  for (let i = 0; i < 24; i += 1) {
    const name = `nobody ${i}`
    const [first, second] = await work(users, [name, name], 3)
    const each = [first, second].map((time) => (time > Math.sqrt(cheap * dear) ? 'dear' : 'cheap'))
    t.equal(each[0], each[1], `${first.toFixed(1)} and ${second.toFixed(1)} ms`)
    kinds.push(each[0])
  }
  t.strictSame([...new Set(kinds)].toSorted(), ['cheap', 'dear'], 'as names of the file would')
})
