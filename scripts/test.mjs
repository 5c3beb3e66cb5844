// npm test [-- <part of a test file's name> …] [--unit]: everything from a fresh clone to `N passed, N failed`, the
// last line.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { exitCodeOf, passSignals } from './instance.mjs'
import { prepareRedis } from './redis.mjs'
import { findServer } from './servers.mjs'
import { build, ensureInstalled, filesIn, modifiedAt, root } from './setup.mjs'

const NEEDS_REDIS = '.redis.test.js'
/** For two cores; more would also distort the tests that measure time. */
const JOBS = 2
const tap = join(root, 'node_modules/tap/dist/esm/run.mjs')

const args = process.argv.slice(2)
const unit = args.includes('--unit')
const filters = args.filter((arg) => arg !== '--unit')

let counts = { passed: 0, failed: 1 }
try {
  counts = await run()
} catch (error) {
  console.log(error.message)
}
console.log(`${counts.passed} passed, ${counts.failed} failed`)
process.exitCode = counts.failed === 0 && counts.passed > 0 ? 0 : 1

async function run() {
  await ensureInstalled()
  await build({ force: true })
  lint()
  const files = testFiles()
  buildTap()
  const programs = findPrograms(files)
  const redis = files.some((file) => file.endsWith(NEEDS_REDIS)) ? await prepareRedis() : undefined
  try {
    return await runTap(files, { ...redis?.env, ...programs })
  } finally {
    await redis?.stop()
  }
}

function lint() {
  if (filters.length > 0) return console.log('Lint: left out, as only some tests are asked for')
  if (!succeeds('npm', ['run', '--silent', 'lint'])) throw new Error('Lint failed: see above')
}

function testFiles() {
  const files = filesIn(join(root, 'dist/test'))
    .filter((file) => file.endsWith('.test.js') && !(unit && file.endsWith(NEEDS_REDIS)))
    .filter((file) => filters.length === 0 || filters.some((filter) => file.includes(filter)))
  if (files.length === 0)
    throw new Error(`No test file's name has ${filters.join(' or ') || '.test.ts'} in it`)
  return files.toSorted().map((file) => join('dist/test', file))
}

/**
 * The other servers and clients of these files. Without a browser, its test says so and is left out; the rest must be
 * there.
 */
function findPrograms(files) {
  const env = {}
  for (const name of ['nginx', 'caddy', 'curl', 'chromium']) {
    if (!files.some((file) => new RegExp(`[-/]${name}\\.`).test(file))) continue
    try {
      Object.assign(env, findServer(name))
    } catch (error) {
      if (name !== 'chromium') throw error
      console.log(error.message)
      env.TEST_CHROMIUM_SERVER = ''
    }
  }
  return env
}

/** tap makes its own modules from its plugin list, once after each install; without this, the first run fails. */
function buildTap() {
  const built = modifiedAt('.tap/plugins/package.json')
  if (built > modifiedAt('node_modules/.package-lock.json') && built > modifiedAt('package.json')) return
  if (!succeeds(process.execPath, [tap, 'build'])) throw new Error('tap build failed: see above')
}

async function runTap(files, env) {
  // imported now, as it needs what was installed
  const { reportTap } = await import('./tap-report.mjs')
  const runner = spawn(process.execPath, [tap, 'run', '--reporter=tap', `--jobs=${JOBS}`, ...files], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
    detached: true, // a group of its own, so that an interruption can end it whole
  })
  let interrupted = false
  passSignals((signal) => {
    // the second time without asking
    if (runner.exitCode === null) process.kill(-runner.pid, interrupted ? 'SIGKILL' : signal)
    interrupted = true
  })
  const exited = once(runner, 'exit')
  const { passed, failed, skipped, failures } = await reportTap(runner.stdout, files)
  const exitCode = exitCodeOf(...(await exited))
  if (skipped > 0) console.log(`${skipped} skipped`)
  if (interrupted) console.log('Interrupted')
  return { passed, failed: Math.max(failed, failures, exitCode === 0 && !interrupted ? 0 : 1) }
}

function succeeds(command, commandArgs) {
  const { status } = spawnSync(command, commandArgs, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
  return status === 0
}
