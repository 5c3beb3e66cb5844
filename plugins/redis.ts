import type { FastifyBaseLogger } from 'fastify'
import { Cluster, Redis } from 'ioredis'
import type { RedisOptions as IoRedisOptions } from 'ioredis'
import { withinDeadline } from '../src/deadline.js'
import type { RedisClient } from '../src/store/redis-client.js'
import { parseRedisUrl } from '../src/store/url.js'

/** Without `replyMapping`, which would change what replies look like. */
type RedisOptions = Omit<IoRedisOptions, 'replyMapping'>

/** How long one command may take. Several of them in a row must fit into the 2 s in which every answer comes. */
const COMMAND_TIMEOUT = 400

/** How long a start waits for Redis before it goes on without, in ms. */
const START_PATIENCE = 1_000

/**
 * Everything here says: fail at once, and let the caller decide. ioredis' own defaults wait: a dead Redis would then
 * hang every request.
 */
const FAIL_FAST = {
  // Without a connection a command fails now instead of waiting for one.
  enableOfflineQueue: false,
  // A command whose connection broke fails now …
  maxRetriesPerRequest: 0,
  // … and isn't sent again on the next one: a script that was applied, but not answered, would run twice.
  autoResendUnfulfilledCommands: false,
  // A frozen server accepts commands and answers none.
  commandTimeout: COMMAND_TIMEOUT,
  // A command that timed out leaves the connection standing; this leaves it, so that the next ones fail at once.
  socketTimeout: COMMAND_TIMEOUT,
  connectTimeout: 1_000,
  // "Ready" is when the server has answered, not when the kernel has accepted the connection.
  enableReadyCheck: true,
  // Come back soon: recovery takes no longer than this once the server is there.
  retryStrategy: () => 200,
  // After a failover the old primary is a replica; look for the new one.
  reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
} satisfies RedisOptions

/** What differs on a connection for one purpose. */
export type RedisTuning = Pick<
  RedisOptions,
  'commandTimeout' | 'socketTimeout' | 'enableReadyCheck' | 'retryStrategy'
>

/** A connection to Redis, and whether it can be used now. */
export interface RedisConnection {
  readonly client: RedisClient
  /** Asks the server, for at most 400 ms. */
  isReady(): Promise<boolean>
  close(): void
}

/**
 * Opens a connection and waits a moment for it. A server that can't be reached is no error: the connection keeps
 * trying, and its commands fail until it succeeds. `log` is told of losses; of several connections to one server, one
 * is enough.
 */
export async function openRedis(
  store: string | RedisOptions,
  log: FastifyBaseLogger | undefined,
  tuning: RedisTuning = {},
): Promise<RedisConnection> {
  const options = { ...FAIL_FAST, ...tuning }
  const client = typeof store === 'string' ? connectUrl(store, options) : new Redis({ ...store, ...options })
  if (log) logChanges(client, log)
  // ioredis says "error" for each attempt; commands reject by themselves.
  else client.on('error', () => {})
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, START_PATIENCE)
    client.once('ready', () => {
      const nodes = client instanceof Cluster ? client.nodes() : []
      void Promise.allSettled(nodes.map((node) => node.ping())).finally(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  })
  return {
    client,
    close: () => client.disconnect(),
    isReady: () =>
      withinDeadline(client.ping(), COMMAND_TIMEOUT).then(
        () => true,
        () => false,
      ),
  }
}

function connectUrl(url: string, tuned: RedisOptions): RedisClient {
  const { kind, nodes, primary, db, tls, username, password } = parseRedisUrl(url)
  const options: RedisOptions = {
    ...tuned,
    connectionName: 'portcullis',
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
  }
  if (kind === 'cluster') {
    const cluster = new Cluster([...nodes], {
      redisOptions: options,
      enableOfflineQueue: false,
      clusterRetryStrategy: () => 200,
      slotsRefreshTimeout: 1_000,
      // How often a command follows a slot that moves; no waiting for a failover within a request.
      maxRedirections: 4,
      retryDelayOnFailover: 0,
      retryDelayOnClusterDown: 0,
    })
    // When it is found, not when it is first used: all but the first of the commands that meet there would fail.
    cluster.on('+node', (node: Redis) => void node.connect().catch(() => {}))
    return cluster
  }
  if (kind === 'sentinel') {
    return new Redis({
      ...options,
      sentinels: [...nodes],
      name: primary!,
      db,
      sentinelRetryStrategy: () => 200,
      // Without it a client stays on the old primary for seconds after a planned failover.
      failoverDetector: true,
    })
  }
  const [{ host, port }] = nodes as [(typeof nodes)[0]]
  return new Redis({ ...options, host, port, db, ...(tls && { tls: {} }) })
}

/** One line when the connection is lost and one when it is back; ioredis says "error" for each attempt between. */
function logChanges(client: RedisClient, log: FastifyBaseLogger): void {
  let isDown = false
  client.on('error', (error: Error) => {
    if (isDown) return
    isDown = true
    log.error({ event: 'store_down', reason: error.message }, 'Redis cannot be reached')
  })
  client.on('close', () => {
    if (isDown || client.status === 'end') return
    isDown = true
    log.error({ event: 'store_down' }, 'the connection to Redis was lost')
  })
  client.on('ready', () => {
    if (isDown) log.info({ event: 'store_up' }, 'Redis is back')
    isDown = false
  })
}
