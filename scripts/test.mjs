// npm test [-- <part of a test file's path> …] [--unit | --fast]
// Installs, compiles, lints and runs the tests. The last line is `N passed, N failed`. N counts tests, see
// tap-report.mjs.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { prepareRedis } from './redis.mjs'
import { needsRedis, selectTests } from './select-tests.mjs'
import { findFaketime, findServer } from './servers.mjs'
import { modifiedAt, root, setUp } from './setup.mjs'

/** The number of files that run at the same time. More would distort the tests that measure time. */
const JOBS = 2
/** Tests that move the clocks of other processes. */
const MOVES_CLOCKS =
  /\/(?:history\/history|replica\/clocks|support\/moved-time|examples\/[^/]+)\.redis\.test\.js$/
const tap = join(root, 'node_modules/tap/dist/esm/run.mjs')

let counts = { passed: 0, failed: 1 }
try {
  counts = await run()
} catch (error) {
  console.log(error.message)
}
console.log(`${counts.passed} passed, ${counts.failed} failed`)
process.exitCode = counts.failed === 0 && counts.passed > 0 ? 0 : 1

async function run() {
  const { values: modes, positionals: filters } = parseArgs({
    options: { unit: { type: 'boolean' }, fast: { type: 'boolean' } },
    allowPositionals: true,
  })
  await setUp()
  if (filters.length > 0 || modes.fast) console.log('Lint is skipped, because only some tests run')
  else if (!succeeds('npm', ['run', '--silent', 'lint'])) throw new Error('Lint failed: see above')
  const files = selectTests({ ...modes, filters }).map((file) => join('dist', file))
  buildTap()
  const programs = findPrograms(files)
  const redis = files.some(needsRedis) ? await prepareRedis() : undefined
  try {
    return await runTap(files, { ...redis?.env, ...programs })
  } finally {
    await redis?.stop()
  }
}

/**
 * Finds the other servers and clients that these files need. Without a browser, its test is skipped.
 *
 * @throws {Error} if another program is missing
 */
function findPrograms(files) {
  const env = files.some((file) => MOVES_CLOCKS.test(file)) ? findFaketime() : {}
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

/** Generates tap's modules from its list of plugins. This is needed once after each installation. */
function buildTap() {
  const built = modifiedAt('.tap/plugins/package.json')
  if (built > modifiedAt('node_modules/.package-lock.json') && built > modifiedAt('package.json')) return
  if (!succeeds(process.execPath, [tap, 'build'])) throw new Error('tap build failed: see above')
}

async function runTap(files, env) {
  // Imported here, because its dependencies may have just been installed.
  const { reportTap } = await import('./tap-report.mjs')
  const runner = spawn(process.execPath, [tap, 'run', '--reporter=tap', `--jobs=${JOBS}`, ...files], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
    detached: true, // Its own process group, so that an interruption ends all of its processes.
  })
  let interrupted = false
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.on(signal, () => {
      if (runner.exitCode === null && runner.signalCode === null) process.kill(-runner.pid, signal)
      interrupted = true
    })
  }
  const exited = once(runner, 'exit')
  const { passed, failed, skipped } = await reportTap(runner.stdout, files)
  const [exitCode] = await exited
  if (skipped > 0) console.log(`${skipped} skipped`)
  if (interrupted) console.log('Interrupted')
  return { passed, failed: exitCode === 0 && !interrupted ? failed : Math.max(failed, 1) }
}

function succeeds(command, commandArgs) {
  const { status } = spawnSync(command, commandArgs, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
  return status === 0
}
