// node scripts/run.mjs <command …>: sets up, then runs the command line, as its stand-in for signals and the exit code.
import { exitCodeOf, passSignals, startInstance } from './instance.mjs'
import { build, ensureInstalled } from './setup.mjs'

try {
  await ensureInstalled()
  await build()
} catch (error) {
  console.error(error.message)
  process.exit(1)
}

const instance = startInstance(process.argv.slice(2))
passSignals((signal) => instance.kill(signal))
instance.on('exit', (code, signal) => process.exit(exitCodeOf(code, signal)))
