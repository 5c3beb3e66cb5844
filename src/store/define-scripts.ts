import type { RedisClient } from '../redis/redis-client.js'
import { SCRIPTS } from './session-scripts.js'
import type { Script } from './session-scripts.js'

type RunScript = (...keysAndArgs: (string | number)[]) => Promise<unknown>

/** One function per script of the registry. It takes the keys first, then the arguments. */
export type RedisScripts = { readonly [name in keyof typeof SCRIPTS]: RunScript }

/**
 * Registers all session scripts with a client. ioredis runs a script by its hash (`EVALSHA`), and sends the whole
 * script if the server doesn't have it yet.
 *
 * @example
 * const scripts = defineScripts(redis)
 * await scripts.pruneIndex(keys.subject(sub), Date.now(), INDEX_SLACK)
 */
export function defineScripts(redis: RedisClient): RedisScripts {
  const commands = redis as unknown as Record<string, RunScript>
  const bind = ([key, { name, keys, lua }]: [string, Script]) => {
    redis.defineCommand(name, { lua, numberOfKeys: keys })
    return [key, (...args: (string | number)[]) => commands[name]!.apply(redis, args)]
  }
  return Object.fromEntries(Object.entries(SCRIPTS).map(bind)) as RedisScripts
}
