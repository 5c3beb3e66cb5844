import { execFile, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { means } from './server-signals.js'
import type { Deed, Means } from './server-signals.js'
import { ping } from './redis-ping.js'
import { freePort } from './free-port.js'
import type { Scope } from './scope.js'

const run = promisify(execFile)
const TIMEOUT_MILLISECONDS = 15_000

export interface OwnRedisOptions {
  /** More of redis-server's arguments; they win over ours (no persistence, `noeviction`). */
  args?: readonly string[]
  /** Default: a free one. */
  port?: number
  /** Environment variables besides those of this process. They don't reach a server that runs in Docker. */
  env?: Readonly<Record<string, string>>
}

/**
 * A real Redis server of the test's own, on 127.0.0.1. Each promise fulfils when the state is reached, not when it
 * was asked for.
 */
export interface OwnRedis {
  readonly port: number
  /** `redis://127.0.0.1:<port>` */
  readonly url: string
  /** SIGSTOP: it accepts connections (the kernel does) and answers nothing. */
  freeze(): Promise<void>
  /** SIGCONT: it answers again, also what was asked while it was frozen. */
  thaw(): Promise<void>
  /** SIGKILL, frozen or not: connections are refused. Without persistence, its data are gone. */
  kill(): Promise<void>
  /** SIGTERM: a shutdown in order. */
  stop(): Promise<void>
  /** After `kill` or `stop`: again with the same port, arguments and directory. */
  start(): Promise<void>
}

/** Starts a Redis, and waits for its first PONG. It ends with the test, or with this process, however that ends. */
export async function startRedis(t: Scope, options: OwnRedisOptions = {}): Promise<OwnRedis> {
  const port = options.port ?? (await freePort())
  const dir = await mkdtemp(join(tmpdir(), 'portcullis-redis-'))
  const settings = {
    port,
    bind: '127.0.0.1',
    dir,
    save: '',
    appendonly: 'no',
    'maxmemory-policy': 'noeviction',
  }
  const args = [
    ...Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]),
    ...(options.args ?? []),
  ]
  let running: Running | undefined

  async function start(): Promise<void> {
    if (running && !running.hasExited()) throw new Error(`The Redis on port ${port} is running already`)
    running = launch(dir, args, options.env)
    await running.until(async () => (await ping(port)) === 'pong', `answered no PING on port ${port}`)
  }

  async function end(how: Deed): Promise<void> {
    if (!running || running.hasExited()) return
    if (how === 'terminate') await running.do('thaw')
    await running.do(how)
    await running.exited
  }

  function alive(): Running {
    if (!running || running.hasExited()) throw new Error(`The Redis on port ${port} isn't running`)
    return running
  }

  t.teardown(async () => {
    await end('kill')
    await rm(dir, { recursive: true, force: true })
  })
  await start()

  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    start,
    kill: () => end('kill'),
    stop: () => end('terminate'),
    async freeze() {
      await alive().do('freeze')
      await alive().until(async () => (await ping(port)) === 'silent', 'answered although frozen')
    },
    async thaw() {
      await alive().do('thaw')
      await alive().until(async () => (await ping(port)) === 'pong', 'stayed silent although thawed')
    },
  }
}

interface Running {
  hasExited(): boolean
  readonly exited: Promise<unknown>
  do(deed: Deed): Promise<void>
  /** Polls `reached`; rejects with the server's output if it exits, or takes too long. */
  until(reached: () => Promise<boolean>, complaint: string): Promise<void>
}

function launch(dir: string, args: readonly string[], env: OwnRedisOptions['env']): Running {
  const by = means()
  const child = spawnOnLeash(by, by.argv(dir, args), dir, env)
  const exited = once(child, 'exit')
  const hasExited = () => child.exitCode !== null || child.signalCode !== null
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk) => (output = (output + String(chunk)).slice(-4000)))
  }
  return {
    hasExited,
    exited,
    async do(deed) {
      if (child.pid === undefined) throw new Error('No sh to start redis-server with')
      await run('sh', ['-c', by.line(deed, child.pid)]).catch((error: unknown) => {
        // Docker doesn't thaw what isn't frozen
        if (deed !== 'thaw') throw error
      })
    },
    async until(reached, complaint) {
      const deadline = performance.now() + TIMEOUT_MILLISECONDS
      while (!(await reached())) {
        if (hasExited()) throw new Error(`redis-server ended by itself:\n${output}`)
        if (performance.now() > deadline) throw new Error(`redis-server ${complaint}:\n${output}`)
        await sleep(20)
      }
    },
  }
}

/**
 * Runs `argv` so that it can't outlive this process. The shell becomes the server (`exec`), after it has left a
 * background reader on a pipe of ours: a line there releases it, the pipe's end without one (we died) ends the server.
 */
function spawnOnLeash(
  by: Means,
  argv: readonly string[],
  dir: string,
  env: OwnRedisOptions['env'] = {},
): ChildProcess {
  // the trap: who ends a run may signal its whole process group, and a frozen server survives that
  const reader = `trap '' HUP INT TERM; read -r _ <&3 || { ${by.line('kill', '$$')}; rm -r "$0"; }`
  const script = `( ${reader} ) >/dev/null 2>&1 & exec "$@" 3<&-`
  const child = spawn('sh', ['-c', script, dir, ...argv], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  })
  const leash = child.stdio[3] as Socket
  leash.on('error', () => {}) // the reader may be gone before the release arrives
  child.once('exit', () => leash.end('\n'))
  return child
}
