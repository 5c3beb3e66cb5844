// npm run dev [-- <command …>]: runs `demo` (or the command), and anew after each change of a source that compiles.
import { existsSync, watch } from 'node:fs'
import { join } from 'node:path'
import { passSignals, startInstance } from './instance.mjs'
import { build, ensureInstalled, root } from './setup.mjs'

const SETTLE_MS = 100
const args = process.argv.length > 2 ? process.argv.slice(2) : ['demo']
let instance
let timer
let turn = Promise.resolve()

const isRunning = () => instance && instance.exitCode === null && instance.signalCode === null

async function restart() {
  try {
    await build()
  } catch (error) {
    console.error(`${error.message}; still running what was built before`)
    return
  }
  if (isRunning()) {
    const gone = new Promise((resolve) => void instance.once('exit', resolve))
    instance.kill('SIGTERM')
    await gone
  }
  instance = startInstance(args)
  instance.once('exit', (code) => console.error(`${args[0]} ended (${code ?? 'killed'})`))
}

await ensureInstalled()
const folders = ['src', 'plugins'].map((folder) => join(root, folder)).filter((folder) => existsSync(folder))
for (const folder of folders) {
  watch(folder, { recursive: true }, () => {
    clearTimeout(timer)
    timer = setTimeout(() => (turn = turn.then(restart)), SETTLE_MS)
  })
}
turn = turn.then(restart)

passSignals(async (signal) => {
  if (!isRunning()) process.exit(0)
  instance.once('exit', () => process.exit(0))
  instance.kill(signal)
})
