// node scripts/run.mjs <command …>: installs and compiles what is needed, then runs the command line.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { root, setUp } from './setup.mjs'

try {
  await setUp()
} catch (error) {
  console.error(error.message)
  process.exit(1)
}

ignoreEchoes()
const cli = join(root, 'dist/src/cli.js')
process.argv[1] = cli
await import(pathToFileURL(cli).href)

/**
 * Ignores npm's copy of a signal. The terminal sends a Ctrl-C to npm and to this process, and npm forwards it within
 * milliseconds. The gateway would treat the copy as a second signal, and end its drain.
 */
function ignoreEchoes() {
  const ECHO_MILLISECONDS = 500
  const emit = process.emit
  let lastAt = -Infinity
  process.emit = function emitOnce(name, ...args) {
    if (name === 'SIGINT' || name === 'SIGTERM') {
      const now = performance.now()
      if (now - lastAt < ECHO_MILLISECONDS) return true
      lastAt = now
    }
    return emit.call(this, name, ...args)
  }
}
