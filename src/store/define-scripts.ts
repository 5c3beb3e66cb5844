import type { RedisClient } from '../redis/redis-client.js'
import { SCRIPTS } from './session-scripts.js'
import type { Script } from './session-scripts.js'

type RunScript = (...keysAndArgs: (string | number)[]) => Promise<unknown>

/** The scripts of the registry, ready to run: keys first, then arguments. */
export type RedisScripts = { readonly [name in keyof typeof SCRIPTS]: RunScript }

/** Teaches a connection every script (sent by hash, and whole where the server doesn't know it yet). */
export function defineScripts(redis: RedisClient): RedisScripts {
  const commands = redis as unknown as Record<string, RunScript>
  const bind = ([key, { name, keys, lua }]: [string, Script]) => {
    redis.defineCommand(name, { lua, numberOfKeys: keys })
    return [key, (...args: (string | number)[]) => commands[name]!.apply(redis, args)]
  }
  return Object.fromEntries(Object.entries(SCRIPTS).map(bind)) as RedisScripts
}
