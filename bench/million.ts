/**
 * Measures a million denylist entries: their memory in Redis and in an instance, and the time until a new instance has
 * read them. `npm run bench -- million` runs it (COUNT=1000000).
 */
import { randomBytes } from 'node:crypto'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { RedisBell } from '../src/revocation/replica/bell.js'
import { SyncLoop } from '../src/revocation/replica/sync-loop.js'
import { Instance } from '../src/revocation/replica/instance.js'
import type { Now } from '../src/revocation/replica/instance.js'
import { RedisLog } from '../src/revocation/replica/redis-log.js'
import { redisKeys } from '../src/redis/keys.js'
import { fillLog } from './fill-log.js'

const COUNT = Number(process.env['COUNT'] ?? 1_000_000)
const URL = process.env['TEST_REDIS_URL'] ?? 'redis://127.0.0.1:6379'
const keys = redisKeys(`bench-million-${randomBytes(4).toString('hex')}`)
const settings = { lease: 1_000, horizon: 900_000, tolerance: 2_000, leeway: 0, waitReplicas: 0 }
const now = (): Now => ({ monotonic: performance.now(), wall: Date.now() })

const redis = new Redis(URL)
const log = new RedisLog(redis, keys, settings)

async function usedBytes(): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await redis.info('memory'))![1])
}

function follow(): { instance: Instance; stop: () => Promise<void> } {
  const [reading, ringing] = [new Redis(URL), new Redis(URL)]
  const instance = new Instance({
    ...settings,
    id: randomBytes(9).toString('base64url'),
    onLostHistory: 'heal',
    page: 2_000,
  })
  const syncLoop = new SyncLoop({
    instance,
    log: new RedisLog(reading, keys, settings),
    bell: new RedisBell(ringing, keys, settings.lease),
    lease: settings.lease,
    now,
    endSessions: async () => {},
    onSync: () => {},
  })
  syncLoop.start()
  return {
    instance,
    async stop() {
      await syncLoop.stop()
      reading.disconnect()
    },
  }
}

const before = await usedBytes()
await fillLog(log, COUNT)
const inRedis = ((await usedBytes()) - before) / COUNT

// The first instance writes the epoch. It has ended before the second one is measured.
const first = follow()
while (!first.instance.isLeased(now())) await sleep(50)
await first.stop()
await sleep(200)
globalThis.gc?.()
const heapBefore = process.memoryUsage().heapUsed
const delay = monitorEventLoopDelay({ resolution: 1 })
delay.enable()
const began = performance.now()
const second = follow()
while (!second.instance.isLeased(now())) await sleep(5)
const took = performance.now() - began
delay.disable()
globalThis.gc?.()
const inInstance = (process.memoryUsage().heapUsed - heapBefore) / COUNT

console.table({
  entries: second.instance.size,
  'ready after s': Number((took / 1_000).toFixed(2)),
  'longest pause ms': Math.round(delay.max / 1e6),
  'bytes each, instance': Math.round(inInstance),
  'bytes each, Redis': Math.round(inRedis),
})
await second.stop()
await redis.unlink(keys.log, keys.logState)
const stream = redis.scanStream({ match: `${keys.deny('', '').slice(0, -1)}*`, count: 10_000 })
for await (const found of stream) if (found.length > 0) await redis.unlink(found)
redis.disconnect()
