/**
 * Measures a subject with many sessions: the cost of its list, a login and "log out everywhere", and the delay of other
 * calls on the same connection. `npm run bench -- sessions` runs it (COUNTS=1,100,1000,10000,30000).
 */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import fastify from 'fastify'
import { Redis } from 'ioredis'
import portcullis from '../plugins/portcullis.js'

const COUNTS = (process.env['COUNTS'] ?? '1,100,1000,10000,30000').split(',').map(Number)
const URL = process.env['TEST_REDIS_URL'] ?? 'redis://127.0.0.1:6379'
const prefix = `bench-sessions-${randomBytes(4).toString('hex')}`
const LIFE = 30 * 86_400_000

const redis = new Redis(URL)
const directory = await mkdtemp(join(tmpdir(), 'portcullis-bench-'))
const app = fastify()
await app.register(portcullis, {
  issuer: 'https://issuer.example',
  audience: 'https://api.example',
  keys: { dir: directory },
  store: URL,
  keyPrefix: prefix,
})
await app.ready()

/** Writes sessions in the format of the store, the oldest first. */
async function seed(sub: string, count: number): Promise<void> {
  const began = Date.now() - count
  for (let done = 0; done < count; done += 1_000) {
    const pipeline = redis.pipeline()
    for (let i = done; i < Math.min(count, done + 1_000); i += 1) {
      const sid = randomBytes(16).toString('base64url')
      const [created, ends] = [String(began + i), String(began + i + LIFE)]
      const record = { sub, client: 'portcullis', claims: '{}', ip: '192.0.2.1', agent: 'Mozilla/5.0 (X11)' }
      const times = { created, seen: created, ends, expires: ends, count: '0', jtiPrefix: '', rotated: '0' }
      pipeline.hset(`${prefix}:session:${sid}`, { ...record, ...times, family: sid, current: sid })
      pipeline.pexpire(`${prefix}:session:${sid}`, LIFE)
      pipeline.zadd(`${prefix}:subject:${sub}`, ends, sid)
    }
    await pipeline.exec()
  }
}

/** Starts other calls on the same connection, one after another. The result stops them and returns the slowest (ms). */
function startOtherCalls(): () => Promise<{ slowest: number; failed: number }> {
  const state = { isOver: false }
  let [slowest, failed] = [0, 0]
  const running = (async () => {
    while (!state.isOver) {
      const began = performance.now()
      if (!(await app.portcullis.isReady())) failed += 1
      slowest = Math.max(slowest, performance.now() - began)
      await sleep(1)
    }
  })()
  return async () => {
    state.isOver = true
    await running
    return { slowest, failed }
  }
}

async function measure(name: string, work: () => Promise<unknown>): Promise<Record<string, unknown>> {
  await sleep(100)
  const stop = startOtherCalls()
  await sleep(50)
  const [cpu, began] = [process.cpuUsage(), performance.now()]
  const outcome = await work().then(
    () => 'ok',
    (error: Error) => error.message,
  )
  const took = performance.now() - began
  const { user, system } = process.cpuUsage(cpu)
  const { slowest, failed } = await stop()
  return {
    what: name,
    outcome,
    ms: Math.round(took),
    'CPU ms': Math.round((user + system) / 1_000),
    'slowest other ms': Math.round(slowest),
    'others failed': failed,
  }
}

const rows: Record<string, unknown>[] = []
for (const count of COUNTS) {
  const sub = `subject-${count}`
  const { sessions } = app.portcullis
  await seed(sub, count)
  const results = [
    await measure('first page of the list', () => sessions.list(sub)),
    await measure('whole list', async () => {
      let cursor: string | undefined
      do cursor = (await sessions.list(sub, { cursor, limit: 500 })).nextCursor
      while (cursor !== undefined)
    }),
    await measure('login', () => app.portcullis.issue({ sub })),
  ]
  await redis.unlink(`${prefix}:subject:${sub}`)
  await seed(`${sub}-all`, count)
  results.push(await measure('log out everywhere', () => sessions.endAll(`${sub}-all`)))
  const left = await redis.zcard(`${prefix}:subject:${sub}-all`)
  for (const result of results) rows.push({ sessions: count, ...result })
  rows.push({ sessions: count, what: 'left in the index', outcome: String(left) })
}
console.table(rows)

await app.close()
for await (const keys of redis.scanStream({ match: `*${prefix}*`, count: 10_000 })) {
  if ((keys as string[]).length > 0) await redis.unlink(keys as string[])
}
redis.disconnect()
await rm(directory, { recursive: true, force: true })
