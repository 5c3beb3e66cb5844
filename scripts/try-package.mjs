// npm run try:package [-- FASTIFY]: packs Portcullis, installs it with an older Fastify in a temporary directory, and
// runs small hosts there: ESM, CommonJS and TypeScript. Needs the npm registry.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root, setUp } from './setup.mjs'

const { devDependencies, peerDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
/** The oldest Fastify that package.json allows. */
const oldest = peerDependencies.fastify.replace('^', '')
const version = process.argv[2] ?? oldest

/** Runs a command and returns its output. Throws if it fails or takes longer than `seconds`. */
function run(cwd, seconds, command, ...args) {
  const { status, signal, stdout, stderr } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    timeout: seconds * 1000,
    killSignal: 'SIGKILL',
  })
  if (status === 0) return stdout
  throw new Error(`${command} ${args.join(' ')} failed (${signal ?? status}):\n${stdout}${stderr}`)
}

await setUp()
const directory = mkdtempSync(join(tmpdir(), 'portcullis-package-'))
try {
  const [{ filename }] = JSON.parse(
    run(root, 120, 'npm', 'pack', '--ignore-scripts', '--json', '--pack-destination', directory),
  )
  cpSync(join(root, 'scripts/try-package'), directory, { recursive: true })
  writeFileSync(join(directory, 'package.json'), '{ "private": true }\n')
  const install = ['install', '--no-audit', '--no-fund', '--no-progress', '--loglevel=error']
  const types = [`typescript@${devDependencies.typescript}`, `@types/node@${devDependencies['@types/node']}`]
  run(directory, 300, 'npm', ...install, join(directory, filename), `fastify@${version}`, ...types)

  // A second copy of Fastify would have types of its own, which don't fit those of the host.
  const copies = run(directory, 60, 'npm', 'ls', 'fastify', '--all', '--parseable').trim().split('\n')
  if (copies.length !== 1) throw new Error(`more than one Fastify was installed:\n${copies.join('\n')}`)

  const tsc = join(directory, 'node_modules/typescript/lib/tsc.js')
  const options = ['--strict', '--skipLibCheck', 'false', '--target', 'es2023', '--module', 'nodenext']
  const sources = readdirSync(directory).filter((name) => /\.[cm]ts$/.test(name))
  run(directory, 120, process.execPath, tsc, ...options, ...sources)
  for (const program of readdirSync(directory)
    .filter((name) => /\.[cm]js$/.test(name))
    .toSorted()) {
    run(directory, 60, process.execPath, program)
    console.log(`${program} works with fastify ${version} on Node ${process.version}`)
  }
  const bin = join(directory, 'node_modules/portcullis/dist/src/cli.js')
  run(directory, 60, process.execPath, bin, '--help')
  console.log(`the command line works with fastify ${version}`)
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
} finally {
  rmSync(directory, { recursive: true, force: true })
}
