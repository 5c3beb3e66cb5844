/** Real `portcullis serve` commands with two workers on the tests' Redis, and what is asked of them. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { GatewayProcess, Overrides } from './gateway-process.js'
import { call, serveGateway, settingsFor, soon } from './gateway-process.js'
import { cleanUp, redisUrl, uniquePrefix } from './redis.js'
import type { Scope } from './redis.js'

const CLI = fileURLToPath(new URL('../../src/cli.js', import.meta.url))
/** One for a file's commands: only the first of them has to wait for its first lease. */
const keyPrefix = uniquePrefix()

/** `log.requests`: each answer is in the log with the pid of the process that gave it. */
export function workersSettings(t: Scope, overrides: Overrides = {}): Overrides {
  cleanUp(t, keyPrefix)
  const log = { level: 'info', requests: true }
  const admin = { host: '127.0.0.1', port: 0 }
  return { store: redisUrl(), keyPrefix, workers: 2, admin, log, ...overrides }
}

export async function serveWithWorkers(
  t: Scope,
  overrides: Overrides = {},
  directory?: string,
): Promise<GatewayProcess> {
  return serveGateway(t, workersSettings(t, overrides), directory)
}

type Log = Pick<GatewayProcess, 'records'>

/** Of all workers that ever listened, in their order. */
export function pidsOf({ records }: Log): number[] {
  return records()
    .filter(({ event }) => event === 'worker_started')
    .map(({ worker }) => Number(worker))
}

/** What was said of workers that died. */
export function deathsOf({ records }: Log): Record<string, unknown>[] {
  return records().filter(({ event }) => event === 'worker_died')
}

/** Of the command itself. */
export function primaryOf({ records }: Log): number {
  return Number(records().find(({ event }) => event === 'started')!['pid'])
}

/** How many requests each process has answered with this status, by its pid. */
export function answersOf({ records }: Log, status: number): Map<number, number> {
  const counts = new Map<number, number>()
  for (const { event, pid, status: logged } of records()) {
    if (event !== 'request' || logged !== status) continue
    counts.set(Number(pid), (counts.get(Number(pid)) ?? 0) + 1)
  }
  return counts
}

/** A request on a connection of its own, which any worker may get. */
export function ask(
  base: string,
  method: string,
  path: string,
  options: { token?: string; json?: unknown } = {},
) {
  return call(base, method, path, { ...options, headers: { connection: 'close' } })
}

/** The value of a line of `/metrics`. */
export async function metric({ adminUrl }: GatewayProcess, name: string): Promise<number> {
  const { text } = await call(adminUrl!, 'GET', '/metrics')
  const line = text.split('\n').find((one) => one.startsWith(`${name} `))
  if (line === undefined) throw new Error(`no ${name} in:\n${text}`)
  return Number(line.slice(name.length))
}

/** A worker that is slow to tell is left out at first. */
export async function untilMetric(gateway: GatewayProcess, name: string, value: number): Promise<void> {
  await soon(`${name} is ${value}`, async () => (await metric(gateway, name)) === value)
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

export async function untilGone(pids: readonly number[]): Promise<void> {
  await soon(`the processes ${pids.join(', ')} have ended`, () => !pids.some(isAlive))
}

/** Ends the command when this process is gone; its workers have to notice the end of theirs by themselves. */
const LEASH = `data:text/javascript,import cluster from 'node:cluster';
if (cluster.isPrimary) { process.on('disconnect', () => process.kill(process.pid, 'SIGKILL')); process.channel.unref() }`

/** `portcullis serve`, without waiting for anything. */
export async function runServe(t: Scope, directory: string, overrides: Overrides) {
  const config = join(directory, `run-${Math.random().toString(36).slice(2)}.yaml`)
  await writeFile(config, JSON.stringify(settingsFor(directory, { log: { level: 'info' }, ...overrides })))
  const args = ['--import', LEASH, CLI, 'serve', '--config', config]
  const child = spawn(process.execPath, args, { cwd: directory, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] })
  const lines = { stdout: '', stderr: '' }
  child.stdout!.on('data', (chunk) => (lines.stdout += String(chunk)))
  child.stderr!.on('data', (chunk) => (lines.stderr += String(chunk)))
  const ended = once(child, 'close') as Promise<[number | null]>
  t.teardown(() => void child.kill('SIGKILL'))
  const records = () =>
    lines.stdout
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Record<string, unknown>)
  return { pid: child.pid!, lines, records, ended }
}
