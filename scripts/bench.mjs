// npm run bench: sets up, finds a Redis as the tests do, and runs the load tests of bench/.
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
  const bench = spawn(process.execPath, [join(root, 'dist/bench/run.js')], {
    stdio: 'inherit',
    env: { ...process.env, ...redis.env },
  })
  passSignals((signal) => bench.kill(signal))
  process.exitCode = exitCodeOf(...(await once(bench, 'exit')))
} finally {
  await redis.stop()
}
