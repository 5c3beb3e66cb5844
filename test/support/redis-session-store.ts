import fastify from 'fastify'
import { createInterface } from 'node:readline'
import type { Redis } from 'ioredis'
import type { Test } from 'tap'
import { openRedis } from '../../src/redis/connect.js'
import type { Milliseconds } from '../../src/clock.js'
import { redisKeys } from '../../src/redis/keys.js'
import type { Keys } from '../../src/redis/keys.js'
import type { RedisClient } from '../../src/redis/redis-client.js'
import { defineScripts } from '../../src/store/define-scripts.js'
import { RedisSessionStore } from '../../src/store/redis-session-store.js'
import { MovableClock } from './movable-clock.js'
import { soon } from './gateway-process.js'
import { cleanUp, connect, redisUrl, uniquePrefix } from './redis.js'
import type { Scope } from './redis.js'
import type { StoreHarness } from './session-store.js'

export interface RedisHarness extends StoreHarness {
  readonly prefix: string
  readonly keys: Keys
  readonly client: RedisClient
  /** A plain connection to each server that holds data. */
  readonly servers: readonly Redis[]
}

/**
 * A connection as Portcullis opens its own, closed at the test's end. Portcullis goes on without a server that is
 * slow to come; a test of what happens with one waits for it.
 */
export async function openConnection(
  t: Scope,
  url: string = redisUrl(),
  { waits = true }: { waits?: boolean | undefined } = {},
): Promise<RedisClient> {
  const { client, close, isReady } = await openRedis(url, fastify().log)
  t.teardown(close)
  if (waits) await soon('the connection is ready', isReady)
  return client
}

/** The store on the Redis that all tests share. */
export async function openOnRedis(t: Test): Promise<RedisHarness> {
  const prefix = uniquePrefix()
  cleanUp(t, prefix)
  return redisHarness(await openConnection(t), [connect(t)], prefix)
}

export function redisHarness(
  client: RedisClient,
  servers: readonly Redis[],
  prefix: string = uniquePrefix(),
): RedisHarness {
  // In the past, as what is past by the caller's clock alone is not forgotten.
  const clock = new MovableClock(1_700_000_000_000)
  const keys = redisKeys(prefix)
  return {
    prefix,
    keys,
    client,
    servers,
    clock,
    store: new RedisSessionStore(client, defineScripts(client), keys),
    async advance(milliseconds) {
      clock.advance(milliseconds)
      await fastForward(servers, prefix, milliseconds)
    },
  }
}

/** Lets every key of a prefix come nearer to its end, or to it. */
export async function fastForward(
  servers: readonly Redis[],
  prefix: string,
  milliseconds: Milliseconds,
): Promise<void> {
  for (const server of servers) {
    for (const key of await keysOf(server, prefix)) {
      const left = await server.pttl(key)
      if (left >= 0) await server.pexpire(key, left - milliseconds)
    }
  }
}

export async function keysOf(server: Redis, prefix: string): Promise<string[]> {
  const found = new Set<string>()
  for await (const keys of server.scanStream({ match: `*${prefix}*`, count: 1000 })) {
    for (const key of keys as string[]) found.add(key)
  }
  return [...found]
}

/** Each key under the prefix and what is in it, secrets and all, as text. */
export async function dump(server: Redis, prefix: string): Promise<Record<string, string[]>> {
  const all: Record<string, string[]> = {}
  for (const key of (await keysOf(server, prefix)).toSorted()) {
    const type = await server.type(key)
    if (type === 'hash') all[key] = Object.entries(await server.hgetall(key)).flat()
    else if (type === 'zset') all[key] = await server.zrange(key, '0', '-1', 'WITHSCORES')
    else if (type === 'string') all[key] = [(await server.get(key)) ?? '']
    else throw new Error(`${key}: a ${type} that this test can't read`)
  }
  return all
}

/** What a server ran under a prefix while `work` ran, a line a command, those of scripts included. */
export async function monitored(
  t: Scope,
  url: string,
  prefix: string,
  work: () => Promise<unknown>,
): Promise<string[][]> {
  const lines = await startMonitor(t, url)
  await work()
  const done = `done-${uniquePrefix()}`
  await connect(t, url).echo(done)
  const commands: string[][] = []
  for await (const line of lines) {
    // 1795833165.051649 [0 127.0.0.1:57912] "get" "key"
    const [name = '', ...args] = line.slice(line.indexOf('"') + 1, -1).split('" "')
    if (args.includes(done)) return commands
    if (args.some((arg) => arg.includes(prefix))) commands.push([name.toUpperCase(), ...args])
  }
  throw new Error('MONITOR ended before the work')
}

/**
 * Returns the lines of MONITOR. ioredis only opens the connection. Its own `monitor` throws "Command queue state error"
 * if the first line arrives together with the OK, as happens on a busy machine.
 */
async function startMonitor(t: Scope, url: string): Promise<AsyncIterable<string>> {
  const client = connect(t, url)
  await client.ping()
  client.stream.removeAllListeners('data')
  const lines = createInterface({ input: client.stream })[Symbol.asyncIterator]()
  client.stream.write('MONITOR\r\n')
  const { value } = await lines.next()
  if (value !== '+OK') throw new Error(`MONITOR returned ${value}`)
  return lines
}
