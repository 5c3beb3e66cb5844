import type { Redis } from 'ioredis'

/** How many commands the server has run since its start, those inside scripts too, without our own asking. */
export async function redisCommands(redis: Redis): Promise<number> {
  const stats = await redis.info('commandstats')
  let calls = 0
  for (const [, command = '', count = '0'] of stats.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)) {
    if (command !== 'info') calls += Number(count)
  }
  return calls
}
