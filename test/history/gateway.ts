/** One `portcullis serve` on fixed ports, which can be killed and started again, and whose wall clock can be moved. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { settingsFor, soon } from '../support/gateway-process.js'
import type { Overrides } from '../support/gateway-process.js'
import { ADMIN } from '../support/gateway-instances.js'
import { freePort } from '../support/redis.js'
import type { Scope } from '../support/redis.js'
import { clockEnvironment } from '../support/fake-clock.js'

const CLI = fileURLToPath(new URL('../../src/cli.js', import.meta.url))
/** Ends the gateway when this process is gone. */
const LEASH = new URL('./leash.js', import.meta.url).href

export interface Gateway {
  readonly index: number
  readonly url: string
  readonly adminUrl: string
  /** Starts it, and resolves when it listens. */
  start(): Promise<void>
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>
  /** Signals the process, or, with workers, one of them. */
  signal(name: NodeJS.Signals, which?: 'process' | number): void
  /** Process ids of its workers. */
  workers(): number[]
  isReady(): Promise<boolean>
  /** Puts its wall clock so many ms ahead of the true one. */
  moveClock(milliseconds: number): Promise<void>
  /** The end of what it has written. */
  output(): string
}

export async function createGateway(
  t: Scope,
  { index, directory, settings }: { index: number; directory: string; settings: Overrides },
): Promise<Gateway> {
  const [port, adminPort] = [await freePort(), await freePort()]
  const config = join(directory, `gateway-${index}.yaml`)
  const clock = join(directory, `clock-${index}`)
  const values = settingsFor(directory, {
    ...settings,
    listen: { host: '127.0.0.1', port },
    admin: { ...ADMIN, port: adminPort },
    log: { level: 'warn' },
  })
  // JSON is YAML.
  await writeFile(config, JSON.stringify(values))
  const url = `http://127.0.0.1:${port}`
  let child: ChildProcess | undefined
  let output = ''

  const isRunning = () => child !== undefined && child.exitCode === null && child.signalCode === null
  const answers = async (path: string) => {
    const signal = AbortSignal.timeout(1_000)
    return fetch(`${url}${path}`, { signal, headers: { connection: 'close' } }).then(
      async (response) => {
        await response.text()
        return response.ok
      },
      () => false,
    )
  }

  async function kill(): Promise<void> {
    if (!isRunning()) return
    const exited = once(child!, 'exit')
    child!.kill('SIGKILL')
    await exited
  }
  t.teardown(kill)

  return {
    index,
    url,
    adminUrl: `http://127.0.0.1:${adminPort}`,
    kill,
    async start() {
      if (isRunning()) return
      await writeFile(clock, '+0\n')
      const args = ['--import', LEASH, CLI, 'serve', '--config', config]
      const env = { ...process.env, ...clockEnvironment(clock) }
      child = spawn(process.execPath, args, { cwd: directory, env, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] })
      for (const stream of [child.stdout!, child.stderr!])
        stream.on('data', (chunk: Buffer) => (output = (output + chunk.toString()).slice(-20_000)))
      const isUp = async () => {
        if (!isRunning()) throw new Error(`portcullis serve ended by itself:\n${output}`)
        return answers('/healthz')
      }
      await soon('portcullis serve listens', isUp)
    },
    signal(name, which = 'process') {
      const pid = which === 'process' ? child?.pid : which
      if (pid !== undefined && isRunning()) process.kill(pid, name)
    },
    workers() {
      const { pid } = child!
      const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
      return children.trim().split(' ').filter(Boolean).map(Number)
    },
    isReady: () => answers('/readyz'),
    async moveClock(milliseconds) {
      const sign = milliseconds < 0 ? '-' : '+'
      await writeFile(`${clock}.new`, `${sign}${(Math.abs(milliseconds) / 1000).toFixed(3)}\n`)
      await rename(`${clock}.new`, clock)
    },
    output: () => output,
  }
}
