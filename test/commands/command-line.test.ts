/** The command line as its user has it: a process, its output and its exit code. */
import { spawn } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { home } from '../support/gateway-process.js'
import { UsersFile } from '../../src/login/users-file.js'

/** Returns the name of the user whose password it is, as the file spells it. */
async function nameOf(users: UsersFile, name: string, password: string): Promise<string | undefined> {
  return (await users.verify(name, password))?.name
}

const CLI = fileURLToPath(new URL('../../src/cli.js', import.meta.url))

async function portcullis(args: readonly string[], stdin = '') {
  const child = spawn(process.execPath, [CLI, ...args])
  child.stdin.on('error', () => {}).end(stdin)
  const exited = new Promise<number | null>((resolve) => child.on('exit', resolve))
  const [code, out, err] = await Promise.all([exited, text(child.stdout), text(child.stderr)])
  return { code, out, err }
}

t.test('help exits with 0, a missing or unknown command with 2', async (t) => {
  t.match(await portcullis(['--help']), { code: 0, out: /users +adds a user/ })
  t.match(await portcullis(['users', '--help']), { code: 0, out: /users add NAME --file FILE/ })
  t.match(await portcullis([]), { code: 2 })
  t.match(await portcullis(['sessions']), { code: 2, err: /there is no command "sessions"/ })
})

t.test('users add: a new user can log in, and with a changed password only with that', async (t) => {
  const file = join(await home(t), 'new.htpasswd')
  const add = (name: string, password: string) => portcullis(['users', 'add', name, '--file', file], password)
  t.match(await add('ada', 'the first one\nnot this\n'), { code: 0, out: 'added ada\n' })
  t.match(await add('bob', 'another one'), { code: 0, out: 'added bob\n' })
  t.match(await add('ada', 'the second one'), { code: 0, out: 'changed the password of ada\n' })
  const users = await UsersFile.open(file, (message) => t.fail(message))
  t.equal(await nameOf(users, 'ada', 'the second one'), 'ada')
  t.equal(await nameOf(users, 'ada', 'the first one'), undefined)
  t.equal(await nameOf(users, 'bob', 'another one'), 'bob')
})

t.test('users add: a changed password keeps the scopes, and --scope sets them', async (t) => {
  const file = join(await home(t), 'scopes.htpasswd')
  const add = (password: string) => portcullis(['users', 'add', 'ada', '--file', file], password)
  await add('the first one')
  await writeFile(file, (await readFile(file, 'utf8')).replace('\n', ':admin read\n'))
  t.match(await add('the second one'), { code: 0 })
  const users = await UsersFile.open(file, (message) => t.fail(message))
  t.match(await users.verify('ada', 'the second one'), { name: 'ada', scope: 'admin read' })
  const args = ['users', 'add', 'ada', '--file', file, '--scope', 'write']
  t.match(await portcullis(args, 'the third one'), { code: 0 })
  const changed = await UsersFile.open(file, (message) => t.fail(message))
  t.match(await changed.verify('ada', 'the third one'), { scope: 'write' })
  const colon = await portcullis(['users', 'add', 'a:b', '--file', file], 'password')
  t.match(colon, { code: 2, err: /can’t contain a colon/ })
})

t.test('users add: errors have no stack and change nothing', async (t) => {
  const directory = await home(t)
  const file = join(directory, 'users.htpasswd')
  const former = await readFile(file, 'utf8')
  const cases: readonly [args: readonly string[], stdin: string, code: number, err: RegExp][] = [
    [['users', 'add', 'eve', '--file', file], '', 2, /no password/],
    [['users', 'add', 'eve', '--file', file], 'x'.repeat(1_025), 2, /longer than 1024 bytes/],
    [['users', 'add', 'eve'], 'x', 2, /--file FILE is missing/],
    [['users', 'add', '--file', file], 'x', 2, /users add NAME/],
    [['users', 'add', 'e:ve', '--file', file], 'x', 2, /can’t contain a colon/],
    [['users', 'add', 'eve', '--file', directory], 'x', 1, /--file: .* can’t be read/],
    [['users', 'add', 'eve', '--file', '/nowhere/users'], 'x', 1, /\/nowhere\/users can’t be written/],
    [['legacy-blog', '--port', 'abc'], '', 2, /--port abc is not a port/],
    [['legacy-blog', '--port', '65536'], '', 2, /--port 65536 is not a port/],
    [['legacy-blog', '--host', '192.0.2.1'], '', 1, /192\.0\.2\.1:8080 can’t be listened on/],
  ]
  for (const [args, stdin, code, err] of cases) {
    const ended = await portcullis(args, stdin)
    t.match(ended, { code, err }, args.join(' '))
    t.notMatch(ended.err, /\n\s+at /, 'no stack')
  }
  t.equal(await readFile(file, 'utf8'), former)
})
