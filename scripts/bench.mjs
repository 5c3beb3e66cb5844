// npm run bench [-- refresh | million | growth | sessions | lost-data | rolling-restart | floods] [--flag value …]
// Installs and compiles what is needed, finds a Redis in the same way as the tests, and runs a program of bench/.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { prepareRedis } from './redis.mjs'
import { findServer } from './servers.mjs'
import { root, setUp } from './setup.mjs'

const given = process.argv.slice(2)
const PROGRAMS = ['refresh', 'million', 'growth', 'sessions', 'lost-data', 'rolling-restart', 'floods']
const isNamed = PROGRAMS.includes(given[0])
const [program, args] = isNamed ? [given[0], given.slice(1)] : ['run', given]

try {
  await setUp()
  const redis = await redisFor(program)
  try {
    process.exitCode = await run(redis.env)
  } finally {
    await redis.stop()
  }
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
}

/**
 * Returns a Redis for the program. `million` and `sessions` can use any Redis. The others start their own, because they
 * count its commands or delete its data.
 */
async function redisFor(name) {
  if (name === 'million' || name === 'sessions') return prepareRedis()
  const env = args.includes('--help') || args.includes('-h') ? {} : findServer('redis')
  return { env, stop: async () => {} }
}

async function run(env) {
  // `million` measures the heap, so it needs --expose-gc.
  const bench = spawn(process.execPath, ['--expose-gc', join(root, `dist/bench/${program}.js`), ...args], {
    stdio: 'inherit',
    cwd: root,
    env: { ...process.env, ...env },
  })
  process.on('SIGINT', () => {}) // The terminal also sends it to the program, which then stops its servers.
  process.on('SIGTERM', () => bench.kill('SIGTERM'))
  const [code] = await once(bench, 'exit')
  return code ?? 1
}
