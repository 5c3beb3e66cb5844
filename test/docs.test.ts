/** Compares the documentation with the code: its tables, its links, its commands and its snippets. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import fastify from 'fastify'
import t from 'tap'
import type { Test } from 'tap'
import { measureRequests, watchUpstreams } from '../plugins/gateway/request-metrics.js'
import { createMetrics } from '../src/metrics/metrics.js'
import { describePluginOptions, describeSettings, loadGatewaySettings } from '../src/config.js'
import type { SettingRow } from '../src/config.js'
import { ERRORS } from '../src/errors.js'
import portcullis from '../src/index.js'
import type { PluginOptions } from '../src/index.js'
import { redisKeys } from '../src/redis/keys.js'
import { createApp } from '../examples/plugin/app.js'

/** The tests run from the root of the checkout. */
const root = process.cwd()
const read = (file: string) => readFileSync(join(root, file), 'utf8')
const pages = [
  'README.md',
  'CHANGELOG.md',
  ...filesIn('docs', '.md'),
  ...filesIn('examples', '.md'),
  'bench/README.md',
]

function filesIn(folder: string, extension: string): string[] {
  const files = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
  return files.filter((file) => file.endsWith(extension)).map((file) => `${folder}/${file}`)
}

/** The ids that GitHub gives to the headings of a page. */
function anchors(page: string): string[] {
  const text = read(page).replaceAll(/^```.*?^```$/gms, '')
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
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

t.test('docs/configuration.md has every setting and plugin option as --help prints it', async (t) => {
  const lines = new Set(read('docs/configuration.md').split('\n'))
  for (const row of [...describeSettings(), ...describePluginOptions()].map(tableRow)) {
    t.ok(lines.has(row), row)
  }
})

t.test('docs/configuration.md has no setting that doesn’t exist', async (t) => {
  const known = new Set([...describeSettings(), ...describePluginOptions()].map(({ path }) => path))
  const told = [...read('docs/configuration.md').matchAll(/^\| `([^`]+)` \|/gm)].map(([, path = '']) => path)
  t.ok(told.length > 60, 'the tables were found')
  t.strictSame(
    told.filter((path) => !known.has(path)),
    [],
  )
})

t.test('docs/errors.md lists exactly the error codes that exist, with their status', async (t) => {
  const rows = [...read('docs/errors.md').matchAll(/^\| (\d{3}) \| `(\w+)` \|/gm)].map(([, status, code]) => [
    code,
    Number(status),
  ])
  t.strictSame(
    Object.fromEntries(rows),
    Object.fromEntries(Object.entries(ERRORS).map(([code, [status]]) => [code, status])),
  )
})

t.test('docs/errors.md has advice for every error code, once', async (t) => {
  const [, advice = ''] = read('docs/errors.md').split('## What a client should do')
  const codes = [...advice.split('## All codes')[0]!.matchAll(/^\| (`\w+`.*?) \|/gm)].flatMap(
    ([, cell = '']) => [...cell.matchAll(/`(\w+)`/g)].map(([, code]) => code),
  )
  t.strictSame(codes.toSorted(), Object.keys(ERRORS).toSorted())
})

t.test('docs/operations.md lists exactly the metrics that exist', async (t) => {
  const metrics = createMetrics({ ofProcess: false })
  metrics.watchReplica({ state: () => 'OUT', leaseLeft: () => 0, size: () => 0 })
  metrics.watchVerified(() => ({ hits: 0, misses: 0, size: 0 }))
  metrics.watchStreams(() => 0)
  metrics.watchMemory(() => 0)
  const ofGateway = ['src/commands/primary.ts', 'src/logger.ts'].flatMap((file) =>
    [...read(file).matchAll(/name: '(portcullis_\w+)'/g)].map(([, name = '']) => name),
  )
  t.equal(ofGateway.length, 3)
  const rows = [...read('docs/operations.md').matchAll(/^\| `(portcullis_\w+)/gm)].map(
    ([, name = '']) => name,
  )
  // The gateway's own.
  const app = fastify()
  measureRequests(app, metrics.registry)
  watchUpstreams(metrics.registry, [])
  const names = metrics.registry.getMetricsAsArray().map(({ name }) => name)
  t.strictSame(rows.toSorted(), [...names, ...ofGateway].toSorted())
})

t.test('docs/operations.md lists exactly the log events that exist', async (t) => {
  const events = new Set(
    ['src', 'plugins'].flatMap((folder) =>
      filesIn(folder, '.ts').flatMap((file) =>
        [...read(file).matchAll(/\bevent: ('\w+'(?: \| '\w+')*)/g)].flatMap(([, names = '']) =>
          names.split(' | ').map((name) => name.slice(1, -1)),
        ),
      ),
    ),
  )
  t.ok(events.size > 20, 'the events were found')
  const [, log = ''] = read('docs/operations.md').split('## The log')
  const rows = [...log.matchAll(/^\| (`\w+`(?:, `\w+`)*) \| /gm)].flatMap(([, cell = '']) =>
    cell.split(', ').map((name) => name.slice(1, -1)),
  )
  t.strictSame(rows.toSorted(), [...events].toSorted())
})

/** Returns the routes of the plugin as `METHOD path`. */
async function routesOf(t: Test, options: Partial<PluginOptions>): Promise<string[]> {
  const app = fastify()
  const routes: string[] = []
  // A list of methods is /auth/verify, or a route for 405.
  app.addHook('onRoute', ({ method, url }) => {
    if (typeof method === 'string' && method !== 'HEAD') routes.push(`${method} ${url}`)
  })
  await app.register(portcullis, {
    store: 'memory',
    issuer: 'https://api.example.com',
    audience: 'https://api.example.com',
    keys: { dir: t.testdir() },
    login: () => null,
    codes: {},
    ...options,
  })
  t.teardown(() => app.close())
  await app.ready()
  return routes
}

t.test('docs/http-api.md lists exactly the routes of the plugin under its paths', async (t) => {
  const dual = await routesOf(t, {})
  const single = await routesOf(t, { tokens: { scheme: 'single' } })
  const routes = [...new Set([...dual, ...single])]
  const rows = [...read('docs/http-api.md').matchAll(/^\| `([A-Z]+) ([^`?]+)[^`]*` \|/gm)].map(
    ([, method, path]) => `${method} ${path}`,
  )
  t.ok(routes.length > 5, 'the routes were found')
  const ofPlugin = rows.filter((row) => / \/(?:auth|\.well-known)\//.test(row))
  t.strictSame(ofPlugin.toSorted(), routes.toSorted())
  t.match(read('docs/http-api.md'), '| `/auth/verify`, `/auth/verify/*` |')
})

t.test('docs/redis.md lists every kind of Redis key', async (t) => {
  const page = read('docs/redis.md')
  const keys = redisKeys('portcullis')
  const examples = [
    keys.session('<sid>'),
    keys.subject('<sub>'),
    keys.code('<hash>'),
    keys.deny('jti', '<jti>'),
    keys.deny('<kind>', '<id>'),
    keys.logState,
    keys.log,
    `${keys.limit('<limiter>')}<id>`,
  ]
  for (const key of examples) t.ok(page.includes(`| \`${key}\` |`), key)
})

t.test('every relative link leads to a file and a heading that exist', async (t) => {
  for (const page of pages) {
    for (const [, path = '', anchor] of read(page).matchAll(/\]\(([^)\s#]*)(?:#([^)]*))?\)/g)) {
      if (/^[a-z]+:/.test(path)) continue
      const file = path === '' ? page : join(dirname(page), path)
      t.ok(existsSync(join(root, file)), `${page}: ${path}`)
      if (anchor !== undefined) t.ok(anchors(file).includes(anchor), `${page}: ${path}#${anchor}`)
    }
  }
})

t.test('every page of docs/ can be reached from the README', async (t) => {
  const reached = new Set(['README.md'])
  for (const page of reached) {
    for (const [, path = ''] of read(page).matchAll(/\]\(([^)\s#:]+\.md)(?:#[^)]*)?\)/g))
      reached.add(join(dirname(page), path))
  }
  // The README links to the folder of the decisions.
  const missing = filesIn('docs', '.md').filter((page) => !reached.has(page) && !page.startsWith('docs/adr/'))
  t.strictSame(missing, [])
})

t.test('every npm script and command that a page names exists', async (t) => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
  let found = 0
  for (const page of pages) {
    for (const [, name = ''] of read(page).matchAll(/npm run ([\w:]+)/g)) {
      found += 1
      t.ok(name in scripts, `${page}: npm run ${name}`)
    }
    for (const [, name = ''] of read(page).matchAll(/(?:node dist\/src\/cli\.js|`portcullis) ([a-z-]+)/g)) {
      found += 1
      t.ok(['serve', 'demo', 'users', 'legacy-blog'].includes(name), `${page}: portcullis ${name}`)
    }
  }
  t.ok(found > 20, 'commands were found')
})

t.test('a flow page lists the few files that one opens to follow the flow', async (t) => {
  const most = { login: 10, refresh: 7, logout: 7, codes: 9, 'protected-call': 8, 'proxied-call': 20 }
  for (const [page, limit] of Object.entries(most)) {
    const text = readFileSync(join(root, `docs/flows/${page}.md`), 'utf8')
    const section = /^## Files to open\n([^]*?)^## /m.exec(text)?.[1] ?? ''
    const files = [...section.matchAll(/^\d+\. `([^`]+)`/gm)].map(([, file]) => file!)
    t.ok(files.length >= 5 && files.length <= limit, `${page}: ${files.length} files`)
    t.equal(new Set(files).size, files.length, `${page}: no file is listed twice`)
    t.same(
      files.filter((file) => !existsSync(join(root, file))),
      [],
      `${page}: every file exists`,
    )
  }
})

t.test('every file and folder that a page names exists', async (t) => {
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

t.test('the README’s gateway in YAML is a valid configuration', async (t) => {
  const [yaml, ...more] = blocks('README.md', 'yaml')
  t.strictSame(more, [])
  const directory = t.testdir({ 'portcullis.yaml': yaml ?? '' })
  const { settings, warnings } = loadGatewaySettings({ file: join(directory, 'portcullis.yaml') })
  t.ok(settings.routes.length > 1)
  t.strictSame(warnings, [])
})

t.test(
  'the TypeScript of the README and the plugin page compiles with the strict flags of the project',
  async (t) => {
    const snippets = ['README.md', 'docs/plugin.md'].flatMap((page) => blocks(page, 'ts'))
    t.ok(snippets.length > 3)
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

t.test('the example plugin: a login, a guarded route, a scope, and an exact logout', async (t) => {
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
