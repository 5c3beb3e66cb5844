import type { Redis } from 'ioredis'

/** Returns the number of commands since the start of the server. Commands inside scripts count, but `INFO` doesn't. */
export async function redisCommands(redis: Redis): Promise<number> {
  const stats = await redis.info('commandstats')
  let calls = 0
  for (const [, command = '', count = '0'] of stats.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)) {
    if (command !== 'info') calls += Number(count)
  }
  return calls
}
