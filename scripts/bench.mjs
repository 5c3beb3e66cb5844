// npm run bench [-- million]: sets up, finds a Redis as the tests do, and runs a load test of bench/.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { exitCodeOf, passSignals } from './instance.mjs'
import { prepareRedis } from './redis.mjs'
import { build, ensureInstalled, root } from './setup.mjs'

await ensureInstalled()
await build()
const redis = await prepareRedis()
try {
  const bench = spawn(
    process.execPath,
    ['--expose-gc', join(root, `dist/bench/${process.argv[2] ?? 'run'}.js`)],
    {
      stdio: 'inherit',
      env: { ...process.env, ...redis.env },
    },
  )
  passSignals((signal) => bench.kill(signal))
  process.exitCode = exitCodeOf(...(await once(bench, 'exit')))
} finally {
  await redis.stop()
}
