import { Cluster } from 'ioredis'
import type { Keys } from '../../redis/keys.js'
import type { RedisClient } from '../../redis/redis-client.js'

/** Sessions that one command asks for. */
const AT_ONCE = 100

/**
 * Ends those of many sessions that have a record: mostly none has, as what lost their denylist entries lost them, too. In
 * a Cluster each is in a slot of its own; there all are ended one by one.
 */
export async function endLivingSessions(
  redis: RedisClient,
  keys: Keys,
  sids: readonly string[],
  end: (sid: string) => Promise<void>,
): Promise<void> {
  const groups: (readonly string[])[] = []
  for (let i = 0; i < sids.length; i += AT_ONCE) groups.push(sids.slice(i, i + AT_ONCE))
  await Promise.all(
    groups.map(async (group) => {
      const isEmpty = !(redis instanceof Cluster) && (await redis.exists(...group.map(keys.session))) === 0
      if (!isEmpty) await Promise.all(group.map(end))
    }),
  )
}
