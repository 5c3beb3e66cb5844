// npm run history [-- --mix NAME --minutes N --seed N]
// Installs and compiles what is needed, finds a Redis and libfaketime in the same way as the tests, and runs the
// history checker.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { findFaketime, findServer } from './servers.mjs'
import { root, setUp } from './setup.mjs'

try {
  await setUp()
  const env = { ...process.env, ...findServer('redis'), ...findFaketime() }
  const program = join(root, 'dist/test/history/main.js')
  const args = process.argv.slice(2)
  const checker = spawn(process.execPath, [program, ...args], { stdio: 'inherit', cwd: root, env })
  process.on('SIGINT', () => {}) // The terminal also sends it to the program, which then stops its servers.
  process.on('SIGTERM', () => checker.kill('SIGTERM'))
  const [code] = await once(checker, 'exit')
  process.exitCode = code ?? 1
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
}
