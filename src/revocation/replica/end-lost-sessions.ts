import { Cluster } from 'ioredis'
import type { Keys } from '../../redis/keys.js'
import type { RedisClient } from '../../redis/redis-client.js'

/** The number of sessions that one `EXISTS` checks. */
const AT_ONCE = 100

/**
 * Ends the sessions that still have a record. Usually none has one, because a loss of denylist entries loses the
 * records, too. One command therefore checks a group of sessions. If at least one of them has a record, `end` is called
 * for the whole group. In a Cluster, each session is in a slot of its own, which rules out such a command. There, `end`
 * is called for every session.
 *
 * @throws The error of the check or of `end`, if one fails.
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
