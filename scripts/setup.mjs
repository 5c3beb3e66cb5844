import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { exclusively } from './lock.mjs'

// Node's own modules only: this file runs before anything is installed.

export const root = fileURLToPath(new URL('..', import.meta.url))
// Not bin/tsc, an ES module without an extension, which Node can't load under tap's loader.
export const tsc = join(root, 'node_modules/typescript/lib/tsc.js')
const dist = join(root, 'dist')

/** Prints to stderr, because stdout belongs to the command that follows. */
const say = (line) => process.stderr.write(`${line}\n`)

/**
 * Installs the locked dependencies if they are missing or older than the lock file, and compiles what has changed.
 *
 * npm and tsc have no lock of their own, and two installations at the same time would delete each other's files.
 * Processes that start at the same time therefore do this one after another.
 *
 * @throws {Error} if npm or tsc fails. A build with errors leaves `dist` unchanged.
 */
export async function setUp() {
  mkdirSync(dist, { recursive: true })
  await exclusively(
    join(dist, '.lock'),
    () => {
      if (!isInstalled()) install()
      build()
    },
    (owner) => say(`Waiting for process ${owner}, which is installing or compiling here …`),
  )
}

function install() {
  const begin = Date.now()
  say('Installing the dependencies (npm ci). This can take a minute …')
  // --include=dev: the compiler is a development dependency, and NODE_ENV may be "production".
  const npm = spawnSync('npm', ['ci', '--include=dev', '--loglevel=error', '--no-progress'], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  if (npm.status !== 0) throw new Error('The dependencies could not be installed: npm ci failed')
  say(`Installed in ${Math.round((Date.now() - begin) / 1000)} s`)
}

function isInstalled() {
  // npm writes this file last.
  return modifiedAt('node_modules/.package-lock.json') >= modifiedAt('package-lock.json')
}

/** Returns the time of the last change of a file (Unix ms), or -1 if it doesn't exist. */
export function modifiedAt(path) {
  return statSync(join(root, path), { throwIfNoEntry: false })?.mtimeMs ?? -1
}

/** Compiles what has changed since the last run. If there are errors, nothing is written (noEmitOnError). */
function build() {
  if (!existsSync(join(dist, 'tsconfig.tsbuildinfo'))) say('Compiling (tsc) …')
  const args = [tsc, '--build', root, join(root, 'web/tsconfig.commonjs.json')]
  // Both streams of tsc go to stderr, for the reason given at `say`.
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: ['ignore', 2, 2] })
  if (status !== 0) throw new Error('The build failed: tsc found errors')
  // Without it, Node would take these files for ES modules, as the package says.
  writeFileSync(join(dist, 'web-commonjs/package.json'), '{ "type": "commonjs" }\n')
  removeOrphans()
}

/** Removes the output of deleted sources, which tsc keeps. Otherwise, deleted tests would run and be published. */
function removeOrphans() {
  for (const file of filesIn(dist)) {
    const source = file.replace(/(\.d\.ts|\.js|\.js\.map)$/, '.ts')
    if (source !== file && !existsSync(join(root, source.replace('web-commonjs', 'web'))))
      rmSync(join(dist, file))
  }
}

/** Returns all files below `folder`, as paths relative to it. */
export function filesIn(folder) {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
}
