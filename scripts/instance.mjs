import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { join } from 'node:path'
import { root } from './setup.mjs'

/**
 * Starts the compiled command line with this process's stdio. It has a process group of its own, so that a
 * terminal's Ctrl-C reaches it only through `passSignals`; the leash ends it should this process be killed.
 */
export function startInstance(args) {
  const leash = new URL('leash.mjs', import.meta.url).href
  const cli = join(root, 'dist/src/cli.js')
  return spawn(process.execPath, ['--enable-source-maps', '--import', leash, cli, ...args], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    detached: true,
  })
}

/** npm passes on a Ctrl-C that the terminal sent to this process too, within milliseconds. */
const ECHO_MS = 500
const PARENT_POLL_MS = 200

/**
 * Calls `pass` once for each time that somebody asks this process to stop. A server takes a second signal as 'at
 * once', so npm's echo is dropped; a real second Ctrl-C comes later and gets through. npm, when it is asked, asks only
 * the shell between us, which just dies (dash): that counts too.
 */
export function passSignals(pass) {
  let lastAt = -Infinity
  const passOnce = (signal) => {
    const now = performance.now()
    if (now - lastAt < ECHO_MS) return
    lastAt = now
    pass(signal)
  }
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, passOnce)

  if (process.env.npm_lifecycle_event === undefined) return
  const parent = process.ppid
  const poll = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(poll)
    passOnce('SIGTERM')
  }, PARENT_POLL_MS)
  poll.unref()
}

/** The exit code that a shell would give for a child's end. */
export function exitCodeOf(code, signal) {
  return code ?? 128 + constants.signals[signal]
}
