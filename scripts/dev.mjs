// npm run dev [-- <command …>]: runs `demo` (or the command), and restarts it after each change that compiles.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { root, setUp, tsc } from './setup.mjs'

const args = process.argv.length > 2 ? process.argv.slice(2) : ['demo']

try {
  await setUp()
} catch (error) {
  console.error(error.message)
  process.exit(1)
}

// The compiler gets its own process group, because tsc starts its native program as a child. Both must end together.
const compiler = spawn(process.execPath, [tsc, '--build', '--watch', '--preserveWatchOutput', root], {
  stdio: ['ignore', 2, 2],
  detached: true,
})
// Node watches every module that the program has imported.
const program = spawn(
  process.execPath,
  ['--watch', '--watch-preserve-output', '--enable-source-maps', join(root, 'scripts/run.mjs'), ...args],
  { stdio: 'inherit' },
)
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => program.kill(signal))
program.on('exit', (code) => {
  process.kill(-compiler.pid)
  process.exitCode = code ?? 1
})
