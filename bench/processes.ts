/** The processes of the servers. Each runs on its cores, and ends with the bench, even if the bench is killed. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { pinned } from './cores.js'
import type { Cores, Place } from './cores.js'
import type { Listening } from './peer.js'
import type { Setup } from './setup.js'

export interface ServerProcess {
  readonly pid: number
  readonly child: ChildProcess
}

export interface Server extends ServerProcess, Listening {}

/** The ways in which peers start their servers. */
export interface Servers {
  /** Runs the function `name` of `servers` in a module (given by its `import.meta.url`), in a new process. */
  serve(module: string, name: string, setup: Setup): Promise<Server>
  /** Runs a JavaScript file with arguments. Its URL is read from its log line with the event `started`. */
  script(file: string, args: readonly string[]): Promise<Server>
  /** Runs a program, and polls `url` until it responds. */
  program(argv: readonly string[], url: string): Promise<Server>
  stop(): Promise<void>
}

const START_MILLISECONDS = 15_000
const STOP_MILLISECONDS = 3_000
const here = (file: string) => fileURLToPath(new URL(file, import.meta.url))

/**
 * Runs a program so that it ends with the bench. The shell replaces itself with the program, and leaves a child that
 * reads from a pipe of the bench. If the pipe closes without a line, the bench has ended, and the child kills the
 * program. A line ends only the child.
 */
const ON_LEASH = `exec 3<&0
( read -r _ <&3 || kill $$ ) >/dev/null 2>&1 &
exec "$@" </dev/null 3<&-`

export function createServers(cores: Cores | undefined, place: Place = 'server'): Servers {
  const running: Server[] = []
  const keep = async (child: ChildProcess, up: Promise<Listening>): Promise<Server> => {
    const ready = await startedBy(child, up)
    const server = { ...ready, pid: child.pid!, child }
    running.push(server)
    return server
  }
  const node = (args: readonly string[]) => {
    const [command = '', ...rest] = pinned(cores, place, [process.execPath, ...args])
    return spawn(command, rest, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], env: environment() })
  }
  return {
    async serve(module, name, setup) {
      const child = node([here('serve.js'), module, name, JSON.stringify(setup)])
      return keep(
        child,
        once(child, 'message').then(([ready]) => ready as Listening),
      )
    },
    async script(file, args) {
      const child = node(['--import', here('probe.js'), file, ...args])
      return keep(child, startedLine(child))
    },
    async program(argv, url) {
      const [command = '', ...rest] = pinned(cores, place, argv)
      const child = spawn('sh', ['-c', ON_LEASH, 'sh', command, ...rest], {
        stdio: ['pipe', 'ignore', 'pipe'],
      })
      child.stdin!.on('error', () => {}) // The reader may have ended before the line arrives.
      child.once('exit', () => child.stdin!.end('\n'))
      return keep(child, pollUntilUp(url, child))
    },
    async stop() {
      await Promise.all(running.splice(0).map(stop))
    },
  }
}

/** Returns the environment without settings of Portcullis. */
function environment(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('PORTCULLIS_'))
  return { ...Object.fromEntries(own), NODE_ENV: 'production' }
}

const isRunning = (child: ChildProcess) => child.exitCode === null && child.signalCode === null

/**
 * Resolves like `up`.
 *
 * @throws {Error} with the last output of the process, if it ends or takes too long
 */
async function startedBy(child: ChildProcess, up: Promise<Listening>): Promise<Listening> {
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk) => (output = (output + String(chunk)).slice(-2_000)))
  }
  const ended = new AbortController()
  const failure = async (how: string) => {
    child.kill('SIGKILL')
    throw new Error(`${child.spawnargs.slice(-4).join(' ').slice(0, 200)} ${how}:\n${output}`)
  }
  try {
    return await Promise.race([
      up,
      once(child, 'exit', { signal: ended.signal }).then(() => failure('ended by itself')),
      sleep(START_MILLISECONDS, undefined, { signal: ended.signal }).then(() => failure('did not start')),
    ])
  } finally {
    ended.abort()
  }
}

async function startedLine(child: ChildProcess): Promise<Listening> {
  let text = ''
  return new Promise((resolve) => {
    child.stdout!.on('data', (chunk) => {
      text += String(chunk)
      const line = text.split('\n').find((one) => one.includes('"event":"started"') && one.endsWith('}'))
      if (line !== undefined) resolve({ url: (JSON.parse(line) as { url: string }).url })
    })
  })
}

async function pollUntilUp(url: string, child: ChildProcess): Promise<Listening> {
  while (isRunning(child)) {
    const response = await fetch(url).catch(() => undefined)
    await response?.arrayBuffer()
    if (response) return { url }
    await sleep(50)
  }
  return { url }
}

async function stop({ child }: Server): Promise<void> {
  if (!isRunning(child)) return
  const exited = once(child, 'exit')
  if (child.connected) child.disconnect()
  else child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MILLISECONDS)
  await exited
  clearTimeout(timer)
}
