import { execFileSync, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, openSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from './free-port.js'
import { call, home, settingsFor, soon } from './gateway-process.js'
import type { Overrides } from './gateway-process.js'
import type { Test } from 'tap'
import type { Scope } from './scope.js'

const CLI = fileURLToPath(new URL('../../src/cli.js', import.meta.url))

/** A `portcullis serve` whose log isn't read. */
export interface GatewayWithOutput {
  readonly child: ChildProcess
  readonly url: string
  readonly adminUrl: string
  /** Sends the signal. Resolves with the exit code, or `null` if the signal ended the process. */
  stop(signal?: NodeJS.Signals): Promise<number | null>
}

/**
 * Starts `portcullis serve` with the given standard output, and waits until it responds. It ends with the test.
 *
 * @param stdout a file descriptor, or `pipe` for a socket that the caller can read
 */
export async function serveWithOutput(
  t: Scope,
  stdout: number | 'pipe',
  overrides: Overrides = {},
): Promise<GatewayWithOutput> {
  const cwd = await home(t)
  const [port, adminPort] = [await freePort(), await freePort()]
  const settings = settingsFor(cwd, {
    log: { level: 'info', requests: true },
    listen: { host: '127.0.0.1', port },
    admin: { host: '127.0.0.1', port: adminPort },
    ...overrides,
  })
  const config = join(cwd, 'portcullis.yaml')
  await writeFile(config, JSON.stringify(settings))
  const child = spawn(process.execPath, [CLI, 'serve', '--config', config], {
    cwd,
    stdio: ['ignore', stdout, 'inherit'],
  })
  const exited = once(child, 'exit') as Promise<[number | null]>
  const isRunning = () => child.exitCode === null && child.signalCode === null
  const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
    if (isRunning()) child.kill(signal)
    return (await exited)[0]
  }
  t.teardown(async () => void (await stop('SIGKILL')))
  const url = `http://127.0.0.1:${port}`
  const responds = () => {
    if (!isRunning()) throw new Error('portcullis serve ended by itself')
    return call(url, 'GET', '/healthz').then(
      ({ status }) => status === 200,
      () => false,
    )
  }
  // The first lease below a new key prefix takes half a minute.
  await soon('the gateway responds', responds, 90_000)
  return { child, url, adminUrl: `http://127.0.0.1:${adminPort}`, stop }
}

/** Each request is logged with its path, so these lines soon fill every buffer. */
const LONG = `/${'x'.repeat(8_000)}`

/** Sends requests until the log has dropped lines, and returns their number. */
export async function fillLog(
  t: Test,
  { url, adminUrl }: Pick<GatewayWithOutput, 'url' | 'adminUrl'>,
): Promise<number> {
  for (let i = 0; i < 15; i++) {
    const answers = await Promise.all(Array.from({ length: 20 }, () => call(url, 'GET', LONG)))
    t.ok(answers.every(({ status }) => status === 401))
  }
  const { text } = await call(adminUrl, 'GET', '/metrics')
  const dropped = Number(/^portcullis_log_lines_dropped_total (\d+)$/m.exec(text)?.[1])
  t.ok(dropped > 0, `${dropped} lines were dropped`)
  return dropped
}

/** Opens a pipe, which a test need not read. The reader doesn't block. */
export function openPipe(t: Test): { readonly reader: number; readonly writer: number } {
  const path = join(t.testdir(), 'log')
  execFileSync('mkfifo', [path])
  // A child process makes its standard output blocking, so the test must not read from the same open file.
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  const writer = openSync(path, constants.O_WRONLY)
  t.teardown(() => [reader, writer].forEach(closeSync))
  return { reader, writer }
}
