/** The client as its users get it: its size, both module systems, and its types. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import t from 'tap'
import type { Test } from 'tap'
import type { SessionView, TokenResponse } from '../../src/contract.js'
import type { ListedSession } from '../../web/client/client.js'
import type { StoredSession } from '../../web/client/stored-session.js'

/** The tests run from the root of the checkout. */
const root = process.cwd()

/** Returns the minified bundle of a module, and its size after gzip. */
async function bundle(contents: string): Promise<{ text: string; size: number }> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: root },
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    write: false,
  })
  const { text } = outputFiles[0]!
  return { text, size: gzipSync(text, { level: 9 }).length }
}

t.test('the client takes less than 3 kB in a page', async (t) => {
  const usual = await bundle(`export { createClient } from 'portcullis/client'`)
  t.ok(usual.size < 3000, `${usual.size} B minified and gzipped`)
  const all = await bundle(`export * from 'portcullis/client'`)
  t.ok(all.size < 3072, `${all.size} B with everything`)
  t.notMatch(all.text, /\b(?:import|require)\b/, 'it is complete')
})

t.test('what a page doesn’t import is not in its bundle', async (t) => {
  const { text, size } = await bundle(`export { createClient } from 'portcullis/client'`)
  t.notMatch(text, /WebSocket|EventSource/)
  t.ok(size < (await bundle(`export * from 'portcullis/client'`)).size)
  t.equal((await bundle(`import 'portcullis/client'`)).text.trim(), '', 'it has no side effects')
})

t.test('CommonJS and ESM', async (t) => {
  const check = `const client = createClient({ baseUrl: 'http://localhost' }); console.log(typeof client.fetch, client.session())`
  for (const [type, load] of [
    ['commonjs', `const { createClient } = require('portcullis/client')`],
    ['module', `import { createClient } from 'portcullis/client'`],
  ]) {
    const { stdout, stderr } = spawnSync(
      process.execPath,
      [`--input-type=${type}`, '-e', `${load}\n${check}`],
      { cwd: root, encoding: 'utf8' },
    )
    t.equal(stdout.trim(), 'function undefined', `${type} ${stderr}`)
  }
})

/** Compiles a program that uses the client in a project of its own, and returns the errors. */
function compile(t: Test, file: string, options: object, text: string): string {
  const folder = t.testdir({
    [file]: text,
    'package.json': '{ "type": "module" }',
    node_modules: {
      portcullis: t.fixture('symlink', root),
      '@types': { node: t.fixture('symlink', join(root, 'node_modules/@types/node')) },
    },
    'tsconfig.json': JSON.stringify({
      compilerOptions: { strict: true, skipLibCheck: false, noEmit: true, target: 'es2022', ...options },
      files: [file],
    }),
  })
  const tsc = join(root, 'node_modules/typescript/lib/tsc.js')
  return spawnSync(process.execPath, [tsc, '--project', folder], { encoding: 'utf8' }).stdout
}

const PROGRAM = `
  import { createClient, openWebSocket, ClientError } from 'portcullis/client'
  import type { AsyncStorage } from 'portcullis/client'
  const values = new Map<string, string>()
  const storage: AsyncStorage = {
    getItem: async (key) => values.get(key),
    setItem: async (key, value) => void values.set(key, value),
    removeItem: (key) => void values.delete(key),
  }
  const client = createClient({ baseUrl: 'https://api.example.com', storage, onSignedOut: (code) => code.length })
  export const response: Promise<Response> = client.fetch('/me', { headers: { a: 'b' } })
  export const same: typeof fetch = client.fetch
  export const socket = await openWebSocket(client, '/chat')
  socket.send('x')
  client.login({ username: 'ada', password: 'p' }).catch((error) => error instanceof ClientError && error.code)
  // @ts-expect-error a wrong storage
  createClient({ storage: 'disk' })
`

t.test('the types suit pages without Node, and Node without a page', async (t) => {
  const page = { lib: ['es2022', 'dom'], types: [], module: 'esnext', moduleResolution: 'bundler' }
  const node = { lib: ['es2022'], types: ['node'], module: 'nodenext' }
  t.equal(compile(t, 'page.ts', page, PROGRAM), '')
  t.equal(compile(t, 'node.mts', node, PROGRAM), '')
  const commonjs = PROGRAM.replace('await openWebSocket', 'openWebSocket').replace("socket.send('x')", '')
  t.equal(compile(t, 'node.cts', node, commonjs), '')
})

t.test('the types of the client are those of the wire', async (t) => {
  const view: SessionView = {
    sid: 's',
    createdAt: 1,
    lastSeenAt: 1,
    expiresAt: 1,
    ip: null,
    userAgent: null,
    device: null,
    current: true,
  }
  const listed: ListedSession = view
  const response: TokenResponse = { token_type: 'Bearer', expires_in: 1, session_id: 's' }
  const stored: StoredSession = { ...response, at: 0, end: 0 }
  t.same({ ...stored, ...listed }, { ...response, ...view, at: 0, end: 0 })
})
