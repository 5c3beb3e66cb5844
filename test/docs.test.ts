/** Keeps the documentation true where a machine can: what it lists, what it links to, and what it tells to paste. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { describePluginOptions, describeSettings, loadGatewaySettings } from '../src/config.js'
import type { SettingRow } from '../src/config.js'
import { ERRORS } from '../src/errors.js'
import { createApp } from '../examples/plugin/app.js'

/** The tests run from the root of the checkout. */
const root = process.cwd()
const read = (file: string) => readFileSync(join(root, file), 'utf8')
const pages = ['README.md', 'CHANGELOG.md', ...markdownIn('docs')]

function markdownIn(folder: string): string[] {
  const files = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
  return files.filter((file) => file.endsWith('.md')).map((file) => `${folder}/${file}`)
}

/** The contents of a page's code blocks of one language. */
function blocks(page: string, language: string): string[] {
  return [...read(page).matchAll(/^```(\w+)\n(.*?)^```$/gms)]
    .filter(([, name]) => name === language)
    .map(([, , text = '']) => text)
}

function tableRow({ path, default: value, description }: SettingRow): string {
  return `| \`${path}\` | \`${value}\` | ${description} |`
}

t.test('docs/configuration.md has every setting and plugin option as --help tells it', async (t) => {
  const lines = new Set(read('docs/configuration.md').split('\n'))
  for (const row of [...describeSettings(), ...describePluginOptions()].map(tableRow)) {
    t.ok(lines.has(row), row)
  }
})

t.test('docs/configuration.md has no setting that there is not', async (t) => {
  const known = new Set([...describeSettings(), ...describePluginOptions()].map(({ path }) => path))
  const told = [...read('docs/configuration.md').matchAll(/^\| `([^`]+)` \|/gm)].map(([, path = '']) => path)
  t.ok(told.length > 60, 'the tables were found')
  t.strictSame(
    told.filter((path) => !known.has(path)),
    [],
  )
})

t.test('the README lists exactly the error codes that there are, with their status', async (t) => {
  const told = [...read('README.md').matchAll(/^\| (\d{3}) \| `(\w+)` \|/gm)].map(([, status, code]) => [
    code,
    Number(status),
  ])
  t.strictSame(
    Object.fromEntries(told),
    Object.fromEntries(Object.entries(ERRORS).map(([code, [status]]) => [code, status])),
  )
})

t.test('every relative link leads to a file', async (t) => {
  for (const page of pages) {
    for (const [, target = ''] of read(page).matchAll(/\]\(([^)\s#]+)(?:#[^)]*)?\)/g)) {
      if (/^[a-z]+:/.test(target)) continue
      t.ok(existsSync(join(root, dirname(page), target)), `${page}: ${target}`)
    }
  }
})

t.test('every file and folder of the project that a page names is there', async (t) => {
  let found = 0
  for (const page of pages) {
    for (const [, path = ''] of read(page).matchAll(
      /(?<![\w/.-])((?:src|plugins|test|scripts|examples|docs|bench)\/[\w/.-]*\w)/g,
    )) {
      found += 1
      t.ok(existsSync(join(root, path)), `${page}: ${path}`)
    }
  }
  t.ok(found > 100, 'names were found')
})

t.test('the README’s gateway in YAML is a configuration that serve accepts', async (t) => {
  const [yaml, ...more] = blocks('README.md', 'yaml')
  t.strictSame(more, [])
  const directory = t.testdir({ 'portcullis.yaml': yaml ?? '' })
  const { settings, warnings } = loadGatewaySettings({ file: join(directory, 'portcullis.yaml') })
  t.ok(settings.routes.length > 1)
  t.strictSame(warnings, [])
})

t.test(
  'the README’s TypeScript compiles against the plugin, under the project’s own strict flags',
  async (t) => {
    const snippets = blocks('README.md', 'ts')
    t.ok(snippets.length > 0)
    // Below the root, so that its node_modules are found.
    const directory = t.testdir({
      ...Object.fromEntries(snippets.map((text, i) => [`snippet-${i}.ts`, text])),
      'tsconfig.json': JSON.stringify({
        extends: join(root, 'tsconfig.json'),
        compilerOptions: { noEmit: true, rootDir: root, paths: { portcullis: [join(root, 'src/index.ts')] } },
        include: ['*.ts'],
      }),
    })
    const tsc = join(root, 'node_modules/typescript/bin/tsc')
    // tap hands its loaders down to every child, and the compiler can't be loaded with them.
    const args = ['-u', 'NODE_OPTIONS', process.execPath, tsc, '--project', directory]
    const { status, stdout, stderr } = spawnSync('env', args, { encoding: 'utf8' })
    t.equal(status, 0, stdout + stderr)
  },
)

t.test('the example plugin: a login, a guarded route, a scope, and an end that is exact', async (t) => {
  const app = await createApp({ keys: { dir: t.testdir() } })
  t.teardown(() => app.close())
  const logIn = async (username: string, password: string) => {
    const answer = await app.inject({ method: 'POST', url: '/auth/login', payload: { username, password } })
    return { authorization: `Bearer ${answer.json<{ access_token: string }>().access_token}` }
  }
  const ada = await logIn('ada', 'gate-keeper-1843')
  const bob = await logIn('bob', 'drawbridge-1066')
  const me = () => app.inject({ url: '/me', headers: bob })
  t.match((await me()).json(), { sub: 'bob', claims: { name: 'Bob' } })
  t.strictSame((await app.inject({ url: '/greeting' })).json(), { hello: 'stranger' })
  t.strictSame((await app.inject({ url: '/greeting', headers: ada })).json(), { hello: 'Ada' })

  const end = (headers: object) =>
    app.inject({ method: 'DELETE', url: '/users/bob', headers: { ...headers } })
  t.match((await end(bob)).json(), { code: 'insufficient_scope' })
  t.equal((await me()).statusCode, 200, 'what was refused has changed nothing')
  t.equal((await end(ada)).statusCode, 200)
  t.match((await me()).json(), { code: 'session_ended' })
})
