/** The environment of a run: a Redis, an upstream and the cores. All of its processes end, even if the run fails. */
import { constants } from 'node:os'
import { Redis } from 'ioredis'
import { startRedis } from '../test/support/redis.js'
import { chooseCores, pinSelf } from './cores.js'
import type { Cores } from './cores.js'
import { createServers } from './processes.js'
import type { Servers } from './processes.js'
import { createSetup, removeSetup } from './setup.js'
import type { Setup } from './setup.js'
import { startUpstream } from './upstream.js'

export interface Stage {
  readonly cores: Cores | undefined
  readonly setup: Setup
  readonly redis: Redis
  /** Starts the measured servers. */
  readonly servers: Servers
  close(): Promise<void>
}

export async function openStage(given: Pick<Setup, 'algorithm' | 'tokens' | 'connections'>): Promise<Stage> {
  const endings: (() => unknown)[] = []
  const close = async () => {
    for (const end of endings.splice(0).toReversed()) await end()
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void close().finally(() => process.exit(128 + constants.signals[signal])))
  }
  try {
    const cores = chooseCores()
    // Redis, wrk and the upstream inherit the cores of this process.
    pinSelf(cores)
    const own = await startRedis({ teardown: (end) => void endings.push(end) })
    const redis = new Redis(own.url)
    redis.on('error', () => {}) // Each command rejects with the error.
    endings.push(() => redis.disconnect())
    const draft = await createSetup({ ...given, redisUrl: own.url, upstreamUrl: '' })
    endings.push(() => removeSetup(draft))
    const [servers, rest] = [createServers(cores, 'server'), createServers(cores, 'rest')]
    endings.push(
      () => rest.stop(),
      () => servers.stop(),
    )
    const { url: upstreamUrl } = await startUpstream(rest, draft)
    return { cores, setup: { ...draft, upstreamUrl }, redis, servers, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** Describes the pinning for the report. */
export function pinningOf(cores: Cores | undefined): string {
  return cores ? `server on core ${cores.server}, load, Redis and upstream on ${cores.rest}` : 'none'
}
