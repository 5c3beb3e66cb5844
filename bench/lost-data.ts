/**
 * Measures a loss of all data (FLUSHALL) while instances hold many denylist entries: the time until every instance has a
 * lease again, the size of the log then, and the CPU time. Each instance is a process, and Redis is started for this
 * bench only. `npm run bench -- lost-data` runs it (COUNT=1000000 INSTANCES=3).
 */
import { fork, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import fastify from 'fastify'
import { Redis } from 'ioredis'
import { createMetrics } from '../src/metrics/metrics.js'
import { openRedis } from '../src/redis/connect.js'
import { openRevocation } from '../src/app/revocation.js'
import { parsePluginOptions } from '../src/config/load.js'
import { fillLog } from './fill-log.js'
import { RedisLog } from '../src/revocation/replica/redis-log.js'
import type { Sid } from '../src/session/session.js'
import { redisKeys } from '../src/redis/keys.js'
import { RedisSessionStore } from '../src/store/redis-session-store.js'
import { defineScripts } from '../src/store/define-scripts.js'
import { freePort } from '../test/support/redis.js'

const COUNT = Number(process.env['COUNT'] ?? 1_000_000)
const INSTANCES = Number(process.env['INSTANCES'] ?? 3)
const LIFE = { horizon: 3_600_000, leeway: 0 }
const PREFIX = 'portcullis'
const keys = redisKeys(PREFIX)

interface Report {
  readonly leaseAfter: number
  readonly withoutLease: number
  readonly longestPause: number
  readonly cpu: number
}

/** Runs one instance. It sends a message when it has read the log, and when it has a lease again after the loss. */
async function runInstance(url: string): Promise<void> {
  const settings = parsePluginOptions({
    issuer: 'https://issuer.example',
    audience: 'https://api.example',
    store: url,
    keyPrefix: PREFIX,
    revocation: { horizon: '1h' },
  })
  const { client } = await openRedis(url, fastify().log)
  const store = new RedisSessionStore(client, defineScripts(client), keys)
  const open = await openRevocation(settings, {
    redis: client,
    life: LIFE,
    log: fastify().log,
    metrics: createMetrics({ ofProcess: false }),
    mayEvict: () => false,
    endSession: async (sid) => {
      await store.end({ sid: sid as Sid, reason: 'logout', tombstone: LIFE.horizon, now: Date.now() })
    },
  })
  while (!(open.isLive() && Number(open.status()['entries']) >= COUNT)) await sleep(20)
  process.send!('read')
  await once(process, 'message')
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const [began, cpu] = [performance.now(), process.cpuUsage()]
  let [lostAt, withoutLease] = [0, 0]
  process.send!('watching')
  while (lostAt === 0 || !open.isLive()) {
    if (lostAt === 0 && !open.isLive()) lostAt = performance.now()
    await sleep(2)
  }
  withoutLease = performance.now() - lostAt
  delay.disable()
  const { user, system } = process.cpuUsage(cpu)
  process.send!({
    leaseAfter: performance.now() - began,
    withoutLease,
    longestPause: delay.max / 1e6,
    cpu: (user + system) / 1e3,
  } satisfies Report)
  await once(process, 'message')
  process.exit()
}

async function fill(redis: Redis): Promise<void> {
  const settings = { ...LIFE, lease: 1_000, tolerance: 2_000, waitReplicas: 0 }
  await fillLog(new RedisLog(redis, keys, settings), COUNT)
}

/** Counts the rows of the log, and the entries in them. */
async function measureLog(redis: Redis): Promise<{ rows: number; entries: number }> {
  let [rows, entries, from] = [0, 0, '-']
  for (;;) {
    const page = await redis.xrange(keys.log, from, '+', 'COUNT', 500)
    for (const [, [, text = '']] of page) {
      if (text.startsWith('epoch ')) continue
      rows += 1
      entries += Number(/^many (\d+)/.exec(text)?.[1] ?? 1)
    }
    if (page.length < 500) return { rows, entries }
    from = `(${page.at(-1)![0]}`
  }
}

async function redisCpu(redis: Redis): Promise<number> {
  const info = await redis.info('cpu')
  const part = (name: string) => Number(new RegExp(`${name}:([\\d.]+)`).exec(info)![1])
  return part('used_cpu_user') + part('used_cpu_sys')
}

const next = async (child: ChildProcess) => (await once(child, 'message'))[0] as unknown

async function measure(): Promise<void> {
  const port = await freePort()
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']
  const server = spawn(process.env['TEST_REDIS_SERVER'] ?? 'redis-server', args, { stdio: 'ignore' })
  const url = `redis://127.0.0.1:${port}`
  const redis = new Redis(url)
  redis.on('error', () => {})
  const children: ChildProcess[] = []
  try {
    await fill(redis)
    for (let i = 0; i < INSTANCES; i += 1) {
      const child = fork(fileURLToPath(import.meta.url), [url])
      children.push(child)
      await next(child)
    }
    await Promise.all(children.map((child) => (child.send('watch'), next(child))))
    const before = await redisCpu(redis)
    const replies = Promise.all(children.map(next))
    await redis.flushall()
    const reports = (await replies) as Report[]
    const most = (name: keyof Report) => Math.max(...reports.map((report) => report[name]))
    const { rows, entries } = await measureLog(redis)
    console.table({
      entries: COUNT,
      instances: INSTANCES,
      'all have a lease after s': Number((most('leaseAfter') / 1_000).toFixed(2)),
      'without a lease s': Number((most('withoutLease') / 1_000).toFixed(2)),
      'longest pause ms': Math.round(most('longestPause')),
      'rows in the log': rows,
      'entries in the log': entries,
      'CPU s, Redis': Number(((await redisCpu(redis)) - before).toFixed(2)),
      'CPU s, instances': Number((reports.reduce((sum, { cpu }) => sum + cpu, 0) / 1_000).toFixed(2)),
    })
  } finally {
    for (const child of children) child.kill('SIGKILL')
    redis.disconnect()
    server.kill('SIGKILL')
  }
}

const [, , url] = process.argv
if (url === undefined) await measure()
else await runInstance(url)
