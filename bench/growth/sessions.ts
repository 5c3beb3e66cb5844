import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { redisKeys } from '../../src/redis/keys.js'
import { PASSWORD, PASSWORD_HASH, post, startGateway } from './gateway.js'
import type { Launcher } from './gateway.js'

const BATCH = 5_000
const CALLS = 200

export interface Latencies {
  readonly login: number[]
  readonly refresh: number[]
  readonly logout: number[]
}

/** Fills Redis up to each count of sessions in turn, one per subject, and measures the calls of one client at each count. */
export async function measureSessions(
  launcher: Launcher,
  store: string,
  counts: readonly number[],
): Promise<Map<number, Latencies>> {
  const users = join(launcher.directory, 'users.htpasswd')
  await writeFile(users, `ada:${PASSWORD_HASH}\n`)
  const many = { max: 1_000_000 }
  const successes = { perAccount: { successes: 1_000_000 }, perAddress: { successes: 1_000_000 } }
  const settings = { store, login: { users }, rateLimit: { login: successes, refresh: { perAddress: many } } }
  const gateway = await startGateway({ ...launcher, ready: '/readyz' }, settings)
  if (!gateway) throw new Error('the gateway ended by itself')
  const redis = new Redis(store)
  const measured = new Map<number, Latencies>()
  try {
    const login = () => post(`${gateway.url}/auth/login`, { username: 'ada', password: PASSWORD })
    const model = (await login()).body['session_id']!
    await measureCalls(gateway.url, login)
    let filled = 0
    for (const count of counts) {
      await fill(redis, model, filled, count)
      filled = count
      measured.set(count, await measureCalls(gateway.url, login))
    }
    return measured
  } finally {
    redis.disconnect()
    await gateway.stop()
  }
}

async function measureCalls(url: string, login: () => ReturnType<typeof post>): Promise<Latencies> {
  const latencies: Latencies = { login: [], refresh: [], logout: [] }
  for (let i = 0; i < CALLS; i += 1) {
    const { took, body } = await login()
    const refreshed = await post(`${url}/auth/refresh`, { refresh_token: body['refresh_token'] })
    const ended = await post(`${url}/auth/logout`, undefined, refreshed.body['access_token'])
    latencies.login.push(took)
    latencies.refresh.push(refreshed.took)
    latencies.logout.push(ended.took)
  }
  return latencies
}

/** Adds sessions by copying a real record with its TTL, because only the store knows the format of records. */
async function fill(redis: Redis, model: string, from: number, to: number): Promise<void> {
  const keys = redisKeys('portcullis')
  for (let done = from; done < to; done += BATCH) {
    const pipeline = redis.pipeline()
    for (let i = done; i < Math.min(to, done + BATCH); i += 1) {
      const sid = randomBytes(16).toString('base64url')
      pipeline.copy(keys.session(model), keys.session(sid))
      pipeline.zadd(keys.subject(`user-${i}@example.com`), Date.now() + 86_400_000, sid)
    }
    await pipeline.exec()
  }
}
