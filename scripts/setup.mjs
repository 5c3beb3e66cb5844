import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { exclusively } from './lock.mjs'

// Node's own modules only: this file runs before anything is installed.

export const root = fileURLToPath(new URL('..', import.meta.url))
// Not bin/tsc, an ES module without an extension, which Node can't load under tap's loader.
export const tsc = join(root, 'node_modules/typescript/lib/tsc.js')
const dist = join(root, 'dist')

/** On stderr, because stdout belongs to the command that needs the set-up. */
const say = (line) => process.stderr.write(`${line}\n`)

/**
 * Installs the locked dependencies if they are missing or older than the lock file, and compiles what has changed.
 * npm and tsc take no lock of their own: two installations at once delete each other's files. Processes that start at
 * the same time therefore take turns; the second one finds the work done.
 * @throws if npm or tsc fails; a build with errors leaves `dist` as it was
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

/** When a file of the checkout was last changed (Unix ms); -1 if it doesn't exist. */
export function modifiedAt(path) {
  return statSync(join(root, path), { throwIfNoEntry: false })?.mtimeMs ?? -1
}

/** `tsc --build` compares the sources with its last run, and writes nothing if there are errors (noEmitOnError). */
function build() {
  if (!existsSync(join(dist, 'tsconfig.tsbuildinfo'))) say('Compiling (tsc) …')
  const args = [tsc, '--build', root]
  // Both streams of tsc go to stderr, for the reason given at `say`.
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: ['ignore', 2, 2] })
  if (status !== 0) throw new Error('The build failed: tsc found errors')
  removeOrphans()
}

/** tsc leaves the output of deleted sources: deleted tests would still run, deleted modules would be published. */
function removeOrphans() {
  for (const file of filesIn(dist)) {
    const source = file.replace(/(\.d\.ts|\.js|\.js\.map)$/, '.ts')
    if (source !== file && !existsSync(join(root, source))) rmSync(join(dist, file))
  }
}

/** All files below `folder`, as paths relative to it. */
export function filesIn(folder) {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
}
