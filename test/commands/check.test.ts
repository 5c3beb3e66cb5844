import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { checkSettings } from '../../src/commands/check-settings.js'
import { home, settingsFor } from '../support/gateway-process.js'

const CLI = fileURLToPath(new URL('../../src/cli.js', import.meta.url))

async function portcullis(...args: string[]) {
  const child = spawn(process.execPath, [CLI, ...args], {
    cwd: t.testdirName,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = new Promise<number | null>((resolve) => child.on('exit', resolve))
  const [code, out, err] = await Promise.all([exited, text(child.stdout), text(child.stderr)])
  return { code, out, err }
}
t.testdir()

t.test('--version prints the version of the package', async (t) => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
  t.strictSame(await portcullis('--version'), { code: 0, out: `${version}\n`, err: '' })
})

t.test('serve without --config says that no file was read', async (t) => {
  const ended = await portcullis('serve')
  t.match(ended, { code: 1, err: /issuer.* is missing[^]*No configuration file was read.*--config FILE/ })
  t.notMatch(ended.err, /\n\s+at /)
})

t.test('serve --check checks settings and files, and starts and creates nothing', async (t) => {
  const directory = await home(t)
  const file = join(directory, 'portcullis.yaml')
  await writeFile(file, JSON.stringify(settingsFor(directory)))
  t.strictSame(await portcullis('serve', '--check', '--config', file), {
    code: 0,
    out: 'the configuration is valid\n',
    err: '',
  })
  t.notOk(existsSync(join(directory, 'keys')), 'no key was created')
})

t.test('serve --check finds mistakes in the files that settings name', async (t) => {
  const directory = await home(t)
  const check = (overrides: object) =>
    checkSettings({ preset: { name: 'the test', values: settingsFor(directory, { ...overrides }) } })
  await t.rejects(check({ routes: [] }), { name: 'ConfigError' })
  await t.rejects(check({ login: { users: '/nowhere' } }), { name: 'UsersFileError' })
  const page = check({ pages: { stylesheet: '/nowhere' } })
  await t.rejects(page, { name: 'StartError', message: /pages\.stylesheet/ })
  await t.rejects(check({ keys: { signing: '/nowhere' } }), { name: 'KeyError' })
  await t.rejects(check({ keys: { verify: '/nowhere' }, login: {} }), { name: 'KeyError' })
  await t.rejects(check({ listen: { port: 0, tls: { cert: '/nowhere', key: '/nowhere' } } }), {
    name: 'StartError',
  })
})
