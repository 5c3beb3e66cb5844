/**
 * Measures how the cost grows with the number of routes, users, sessions and denylist entries. `npm run bench -- growth`
 * runs it, and `--cli FILE` measures another build.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Redis } from 'ioredis'
import { RedisLog } from '../src/revocation/replica/redis-log.js'
import { redisKeys } from '../src/redis/keys.js'
import { startRedis } from '../test/support/redis-server.js'
import { fillLog } from './fill-log.js'
import { startGateway } from './growth/gateway.js'
import type { Launcher } from './growth/gateway.js'
import { measureSessions } from './growth/sessions.js'
import { measureUsers } from './growth/users.js'
import { spreadOf } from './statistics.js'

const { values } = parseArgs({
  options: {
    cli: { type: 'string', default: fileURLToPath(new URL('../src/cli.js', import.meta.url)) },
    only: { type: 'string', default: 'routes,users,sessions,denials' },
    million: { type: 'string', default: '1000000' },
  },
})
const only = values.only.split(',')
const million = Number(values.million)
const directory = await mkdtemp(join(tmpdir(), 'portcullis-growth-'))
const launcher: Launcher = { cli: values.cli, directory, ready: '/healthz' }
const ends: (() => unknown)[] = [() => rm(directory, { recursive: true, force: true })]
const scope = { teardown: (end: () => unknown) => void ends.unshift(end) }
const whole = (value: number) => String(Math.round(value))
const tenths = (value: number) => value.toFixed(1)
const median = (all: readonly number[]) => spreadOf(all).median

function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const lines = [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`)
  console.log(`${lines.join('\n')}\n`)
}

async function growRoutes(): Promise<void> {
  const rows: string[][] = []
  for (const count of [100, 1_000, 20_000]) {
    for (const rateLimit of [undefined, { max: 100 }]) {
      const routes = Array.from({ length: count }, (_, i) => ({
        path: `/api/v1/resource-${i}`,
        upstream: `http://127.0.0.1:${10_000 + (i % 100)}`,
        rateLimit,
      }))
      const gateway = await startGateway(launcher, { store: 'memory', routes })
      await gateway?.stop()
      const figures = gateway
        ? [gateway.startMilliseconds, gateway.cpuSeconds * 1_000, gateway.rssMegabytes].map(whole)
        : ['doesn’t start', '', '']
      rows.push([String(count), rateLimit ? 'yes' : 'no', ...figures])
    }
  }
  printTable(['routes', 'rateLimit', 'first response ms', 'CPU ms', 'RSS MB'], rows)
}

async function growUsers(): Promise<void> {
  const rows: string[][] = []
  for (const count of [100, 10_000, 100_000]) {
    const { usual, waits, longest } = await measureUsers(launcher, count)
    rows.push([String(count), tenths(median(usual)), tenths(median(waits)), tenths(median(longest))])
  }
  printTable(['users', 'login ms', 'login that reloads ms', 'longest /healthz during it ms'], rows)
}

async function growSessions(): Promise<void> {
  const redis = await startRedis(scope)
  const rows = [...(await measureSessions(launcher, redis.url, [1_000, million]))].map(
    ([count, { login, refresh, logout }]) => [
      String(count),
      ...[login, refresh, logout].map((all) => `${tenths(median(all))} (${tenths(Math.max(...all))})`),
    ],
  )
  printTable(['sessions', 'login ms (max)', 'refresh ms (max)', 'logout ms (max)'], rows)
}

async function growDenylist(): Promise<void> {
  const store = (await startRedis(scope)).url
  const redis = new Redis(store)
  const settings = { lease: 1_000, horizon: 900_000, tolerance: 2_000, leeway: 0, waitReplicas: 0 }
  const log = new RedisLog(redis, redisKeys('portcullis'), settings)
  const rows: string[][] = []
  let filled = 0
  for (const count of [1_000, million]) {
    await fillLog(log, count - filled)
    filled = count
    // The first gateway writes the epoch, so it isn't measured.
    for (const isMeasured of [false, true]) {
      const gateway = await startGateway({ ...launcher, ready: '/readyz' }, { store })
      await gateway?.stop()
      if (gateway && isMeasured)
        rows.push([String(count), whole(gateway.startMilliseconds), whole(gateway.rssMegabytes)])
    }
  }
  redis.disconnect()
  printTable(['denylist entries', 'ready after ms', 'RSS MB'], rows)
}

try {
  if (only.includes('routes')) await growRoutes()
  if (only.includes('users')) await growUsers()
  if (only.includes('sessions')) await growSessions()
  if (only.includes('denials')) await growDenylist()
} finally {
  for (const end of ends) await end()
}
