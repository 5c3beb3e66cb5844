/** The law of the house: which part may know which. Read from the imports of the sources themselves. */
import t from 'tap'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { basename, dirname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

interface Import {
  /** A package, `node:…`, or the path of a source from the root, such as `src/errors.ts`. */
  readonly target: string
  /** Gone at run time. */
  readonly isTypeOnly: boolean
}

/** The tests run from a folder of compiled files; above it is the one that holds the sources. */
function findRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, 'src/errors.ts'))) {
    if (folder === dirname(folder)) throw new Error('no sources above the compiled tests')
    folder = dirname(folder)
  }
  return folder
}

const root = findRoot()
const IMPORT = /^\s*(?:import|export)\s+(type\s+)?(?:[\w*{][^'";]*?\s*from\s*)?'([^']+)'/gm
const DYNAMIC_IMPORT = /\bimport\(\s*(['"`])([^'"`]+)\1/g

function importsIn(file: string, text: string): Import[] {
  const bare = text.replaceAll(/\/\*[^]*?\*\//g, '').replaceAll(/^\s*\/\/.*$/gm, '')
  const found = [...bare.matchAll(IMPORT)].map(([, type, target]) => ({
    target,
    isTypeOnly: type !== undefined,
  }))
  const dynamic = [...bare.matchAll(DYNAMIC_IMPORT)].map(([, , target]) => ({ target, isTypeOnly: false }))
  return [...found, ...dynamic].map(({ target, isTypeOnly }) => ({
    target: resolve(file, target!),
    isTypeOnly,
  }))
}

function resolve(from: string, target: string): string {
  if (!target.startsWith('.')) return target
  return join(dirname(from), target).replaceAll(sep, '/').replace(/\.js$/, '.ts')
}

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll(sep, '/'))
    .toSorted()
}

const graph = new Map(
  ['src', 'plugins', 'web']
    .flatMap((folder) => sources(folder))
    .map((file) => [file, importsIn(file, readFileSync(join(root, file), 'utf8'))]),
)

/** The imports from `files` of what `isForbidden` says, as `a → b`. */
function breaches(files: RegExp, isForbidden: (one: Import) => boolean): string[] {
  const judged = [...graph].filter(([file]) => files.test(file))
  if (judged.length === 0) throw new Error(`no file is called like ${files.source}`)
  return judged.flatMap(([file, imports]) =>
    imports.filter((one) => isForbidden(one)).map(({ target }) => `${file} → ${target}`),
  )
}

const DOORS = /^src\/(?:index|server|cli)\.ts$|^src\/commands\//
const ADAPTERS =
  /^src\/store\/(?!(?:session|code)-store\.ts)|^src\/revocation\/(?:memory|redis|list)-denylist\.ts$|^src\/revocation\/replica\/(?:redis-log|bell|log-scripts)\.ts$|^src\/redis\/|^ioredis$/

t.test('every import of one of our files resolves', async (t) => {
  const missing = [...graph].flatMap(([file, imports]) =>
    imports
      .filter(({ target }) => /^(?:src|plugins|web)\//.test(target) && !graph.has(target))
      .map(({ target }) => `${file} → ${target}`),
  )
  t.same(missing, [])
  t.ok(graph.size > 60, `${graph.size} files`)
  for (const [file, imports] of graph) {
    const text = readFileSync(join(root, file), 'utf8')
    const mentioned = text.match(/^(?:import|export) [^;]*? from '|^import '|^\} from '/gm) ?? []
    t.ok(imports.length >= mentioned.length, `${file}: ${imports.length} of ${mentioned.length}`)
  }
})

t.test('every form of import is recognised', async (t) => {
  const text = [
    `import a from './a.js'`,
    `import type { B } from './b.js'`,
    `import {\n  c,\n  type D,\n} from '../c.js'`,
    `import './d.js'`,
    `export * from './e.js'`,
    `export type { F } from './f.js'`,
    `import * as g from 'fastify'`,
    `  const h = await import('./h.js')`,
    `export const notOne = 'x'`,
    `// import i from './i.js'`,
    `/*\nimport j from './j.js'\n*/`,
  ].join('\n')
  t.strictSame(importsIn('src/x/y.ts', text), [
    { target: 'src/x/a.ts', isTypeOnly: false },
    { target: 'src/x/b.ts', isTypeOnly: true },
    { target: 'src/c.ts', isTypeOnly: false },
    { target: 'src/x/d.ts', isTypeOnly: false },
    { target: 'src/x/e.ts', isTypeOnly: false },
    { target: 'src/x/f.ts', isTypeOnly: true },
    { target: 'fastify', isTypeOnly: false },
    { target: 'src/x/h.ts', isTypeOnly: false },
  ])
})

t.test('src imports neither Fastify nor plugins, except for its entry points', async (t) => {
  const isFastify = ({ target }: Import) =>
    /^(?:fastify|fastify-[\w-]+|@fastify\/.+|plugins\/.+)$/.test(target)
  t.same(
    breaches(/^src\//, isFastify).filter((breach) => !DOORS.test(breach.split(' ')[0]!)),
    [],
  )
  t.not(breaches(DOORS, isFastify).length, 0, 'the doors do, or this test is blind')
})

t.test('an application may appear in src as a type only, and only in its doors and in app', async (t) => {
  const isFastify = ({ target, isTypeOnly }: Import) =>
    !isTypeOnly && /^(?:fastify|fastify-[\w-]+|@fastify\/.+)$/.test(target)
  t.same(breaches(/^src\//, isFastify), [])
})

/** Files that folders on both sides import, with the reason. */
const SHARED: Readonly<Record<string, string>> = {
  'src/session/session.ts':
    'the entity: what a session is. It imports only the clock, and stores and tokens name it.',
}

t.test('no two folders of src import each other, not even types', async (t) => {
  const room = (file: string) => /^src\/([\w-]+)\//.exec(file)?.[1]
  const edges = new Map<string, string>()
  for (const [file, imports] of graph) {
    for (const { target } of imports) {
      const [from, to] = [room(file), room(target)]
      if (from !== undefined && to !== undefined && from !== to && !(target in SHARED))
        edges.set(`${from} → ${to}`, `${file} → ${target}`)
    }
  }
  const mutual = [...edges].filter(([edge]) => edges.has(edge.split(' → ').toReversed().join(' → ')))
  t.same(mutual, [])
  t.ok(edges.size > 20, `${edges.size} pairs of folders`)
  for (const file of Object.keys(SHARED)) {
    t.same(
      graph.get(file)?.filter(({ target }) => room(target) !== undefined),
      [],
      `${file} imports no folder`,
    )
  }
})

t.test('only its doors and the composition know what composes the core', async (t) => {
  const isApp = ({ target }: Import) => target.startsWith('src/app/')
  t.same(
    breaches(/^src\/(?!app\/)/, isApp).filter((breach) => !DOORS.test(breach.split(' ')[0]!)),
    [],
  )
})

t.test('web imports nothing of the server but wire types, and no packages', async (t) => {
  const isOutside = ({ target, isTypeOnly }: Import) =>
    !target.startsWith('web/') && !(target === 'src/contract.ts' && isTypeOnly)
  t.same(breaches(/^web\//, isOutside), [])
  t.same(
    breaches(/^(?:src|plugins)\//, ({ target }) => target.startsWith('web/')),
    [],
  )
})

t.test('no part of src imports the entry points', async (t) => {
  const inner = /^src\/(?!index\.ts|server\.ts|cli\.ts|commands\/)/
  t.same(
    breaches(inner, ({ target }) => DOORS.test(target)),
    [],
  )
})

t.test('sessions and the token verifier import ports, not adapters', async (t) => {
  t.same(
    breaches(/^src\/(?:session|login|token)\//, ({ target }) => ADAPTERS.test(target)),
    [],
  )
  t.not(breaches(/^src\/app\//, ({ target }) => ADAPTERS.test(target)).length, 0, 'adapters are found')
})

t.test('stores, denylists and tokens import the session type, not what sessions do', async (t) => {
  const isBehaviour = ({ target }: Import) =>
    target.startsWith('src/session/') && target !== 'src/session/session.ts'
  t.same(breaches(/^src\/(?:store|revocation|token)\//, isBehaviour), [])
  t.not(breaches(/^plugins\//, isBehaviour).length, 0, 'behaviours are found')
})

t.test('all work with sessions goes through one object, which also holds the deadlines', async (t) => {
  const isInner = ({ target, isTypeOnly }: Import) =>
    target === 'src/session/dependencies.ts' ||
    (!isTypeOnly && /^src\/session\/(?!sessions?\.ts)/.test(target))
  t.same(breaches(/^src\/(?!session\/)|^plugins\//, isInner), [])
  const needsDeadline = ({ target, isTypeOnly }: Import) => target === 'src/deadline.ts' && !isTypeOnly
  t.same(breaches(/^plugins\/(?:routes|gateway)\/|^plugins\/portcullis\.ts$/, needsDeadline), [])
  t.not(breaches(/^src\/session\/sessions\.ts$/, needsDeadline).length, 0, 'deadlines are found')
})

t.test('the gateway imports neither sessions nor stores', async (t) => {
  t.same(
    breaches(/^src\/gateway\//, ({ target }) =>
      /^src\/(?:session|store|revocation|redis|login)\//.test(target),
    ),
    [],
  )
})

t.test('no file depends on itself at run time', async (t) => {
  const cycles: string[] = []
  const done = new Set<string>()
  function visit(file: string, path: readonly string[]): void {
    if (path.includes(file)) return void cycles.push([...path.slice(path.indexOf(file)), file].join(' → '))
    if (done.has(file)) return
    for (const { target, isTypeOnly } of graph.get(file) ?? []) {
      if (!isTypeOnly && graph.has(target)) visit(target, [...path, file])
    }
    done.add(file)
  }
  for (const file of graph.keys()) visit(file, [])
  t.same(cycles, [])
})

t.test('no file has a meaningless name', async (t) => {
  const names = [...graph.keys(), ...sources('test')]
  t.same(
    names.filter((file) =>
      /(?:^|[/.-])(?:utils?|helpers?|common|managers?|services?)(?:[./-]|$)/i.test(file),
    ),
    [],
  )
})

t.test('no two files of src, plugins and web share a name', async (t) => {
  const places = new Map<string, string[]>()
  for (const file of graph.keys()) {
    // One route per endpoint is named as its behaviour is.
    if (file.startsWith('plugins/routes/')) continue
    const name = basename(file)
    places.set(name, [...(places.get(name) ?? []), file])
  }
  t.same(
    [...places.values()].filter((files) => files.length > 1),
    [],
  )
})
