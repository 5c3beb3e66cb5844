// node scripts/run.mjs <command …>: sets up, then is the command line.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { root, setUp } from './setup.mjs'

try {
  await setUp()
} catch (error) {
  console.error(error.message)
  process.exit(1)
}

dropEchoes()
const cli = join(root, 'dist/src/cli.js')
process.argv[1] = cli
await import(pathToFileURL(cli).href)

/**
 * npm passes on a Ctrl-C that the terminal has sent to this process too, within milliseconds. The gateway stops at
 * once on a second signal, so npm's copy would cut open requests.
 */
function dropEchoes() {
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
