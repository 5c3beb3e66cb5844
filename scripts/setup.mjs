import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { exclusively } from './lock.mjs'

// Node's own modules only: this runs before anything is installed.

export const root = fileURLToPath(new URL('..', import.meta.url))
const dist = join(root, 'dist')
const lock = join(dist, '.lock')
const stamp = join(dist, '.inputs')
/** Beside `dist`, not in it: source maps hold relative paths, so the depth must be the same. */
const staging = join(root, '.staging')

/** On stderr: stdout belongs to the command that all this is done for. */
const say = (line) => process.stderr.write(`${line}\n`)

/**
 * Installs the locked dependencies when they are missing or older than the lock file. Safe to call from several
 * processes at once.
 */
export async function ensureInstalled() {
  if (isInstalled()) return
  mkdirSync(dist, { recursive: true })
  await exclusively(lock, () => {
    if (isInstalled()) return
    say('Installing the dependencies (npm ci) …')
    // --include=dev: the compiler is one, also where NODE_ENV=production
    const npm = spawnSync('npm', ['ci', '--include=dev', '--loglevel=error', '--no-progress'], {
      cwd: root,
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    if (npm.status !== 0) throw new Error('The dependencies could not be installed: npm ci failed')
  })
}

function isInstalled() {
  // npm writes this one last
  return modifiedAt('node_modules/.package-lock.json') >= modifiedAt('package-lock.json')
}

/** When a file of the checkout was last changed (Unix ms); one that isn't there is older than any. */
export function modifiedAt(path) {
  return statSync(join(root, path), { throwIfNoEntry: false })?.mtimeMs ?? -1
}

/**
 * Compiles into `dist`; unless forced, only when an input has changed since. A running instance keeps its files: the
 * compiler writes elsewhere, and each file then takes its predecessor's place in one step. A build with errors
 * changes nothing.
 */
export async function build({ force = false } = {}) {
  mkdirSync(dist, { recursive: true })
  await exclusively(lock, () => {
    const inputs = fingerprint()
    if (!force && inputs === readStamp()) return
    rmSync(staging, { recursive: true, force: true })
    try {
      compile()
      rmSync(stamp, { force: true })
      publish()
      writeFileSync(stamp, inputs)
    } finally {
      rmSync(staging, { recursive: true, force: true })
    }
  })
}

function compile() {
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  const args = ['--project', root, '--outDir', staging]
  // stderr for both of its streams: see `say`
  const { status } = spawnSync(process.execPath, [tsc, ...args], { cwd: root, stdio: ['ignore', 2, 2] })
  if (status !== 0) throw new Error('The build failed: tsc found errors')
}

function publish() {
  const fresh = new Set(filesIn(staging))
  for (const file of fresh) {
    mkdirSync(dirname(join(dist, file)), { recursive: true })
    renameSync(join(staging, file), join(dist, file))
  }
  // else deleted tests keep running
  for (const file of filesIn(dist)) if (!fresh.has(file)) rmSync(join(dist, file))
}

function readStamp() {
  try {
    return readFileSync(stamp, 'utf8')
  } catch {
    return undefined
  }
}

function fingerprint() {
  const hash = createHash('sha256')
  const sources = ['src', 'plugins', 'test', 'bench', 'examples'].flatMap((folder) =>
    filesIn(join(root, folder)).map((file) => join(folder, file)),
  )
  const inputs = sources.filter((file) => file.endsWith('.ts')).toSorted()
  for (const file of ['tsconfig.json', 'package.json', 'package-lock.json', ...inputs]) {
    hash
      .update(`${file}\0`)
      .update(readFileSync(join(root, file)))
      .update('\0')
  }
  return hash.digest('hex')
}

/** All files below `folder`, as paths relative to it. */
export function filesIn(folder) {
  if (!statSync(folder, { throwIfNoEntry: false })) return []
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
}
