import type { Log } from '../logger.js'
import type { Metrics } from '../metrics/metrics.js'
import { MemoryWatch } from '../redis/memory-watch.js'
import type { RedisClient } from '../redis/redis-client.js'

/** Watches the memory of Redis. Logins are refused while it is short, so that logouts and revokes still have room. */
export async function watchMemory(redis: RedisClient, log: Log, metrics: Metrics): Promise<MemoryWatch> {
  const memory = new MemoryWatch(redis, (isShort, usage) => {
    const used = Math.round(usage * 100) / 100
    if (isShort)
      log.warn({ event: 'store_full', used }, 'the memory of Redis is short, so logins are refused')
    else log.info({ event: 'store_has_room', used }, 'the memory of Redis has room for logins again')
  })
  metrics.watchMemory(() => memory.usage)
  await memory.start()
  return memory
}
