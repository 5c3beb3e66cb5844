import type { FastifyBaseLogger } from 'fastify'
import { Cluster, Redis } from 'ioredis'
import type { RedisOptions as IoRedisOptions } from 'ioredis'
import { withinDeadline } from '../src/deadline.js'
import { dropUnlessSetUp, keepOpen } from '../src/redis/keep-open.js'
import type { RedisClient } from '../src/redis/redis-client.js'
import { limitTime } from '../src/redis/time-limits.js'
import type { TimeLimits } from '../src/redis/time-limits.js'
import { PromptSentinelConnector } from '../src/redis/sentinel-connector.js'
import { parseRedisUrl } from '../src/redis/url.js'
import { logOutages } from './redis-outages.js'

/** Without `replyMapping`, which would change what replies look like. */
type RedisOptions = Omit<IoRedisOptions, 'replyMapping'>

/** How long one command may take. Several of them in a row must fit into the 2 s in which every answer comes. */
const COMMAND_TIMEOUT = 400

/** How long after a failed attempt, or an end that wasn't ours, the next attempt begins, in ms. */
const RETRY_PAUSE = 200

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
  // Ours take their place (`limitTime`).
  commandTimeout: undefined,
  socketTimeout: undefined,
  connectTimeout: 1_000,
  // Closing ends at once; ioredis would wait 2 s for the server to say goodbye, and keep the process.
  disconnectTimeout: 0,
  // "Ready" is when the server has answered, not when the kernel has accepted the connection.
  enableReadyCheck: true,
  // Come back soon: recovery takes no longer than this once the server is there.
  retryStrategy: () => RETRY_PAUSE,
  // After a failover the old primary is a replica; look for the new one.
  reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
  sentinelRetryStrategy: () => RETRY_PAUSE,
  // A frozen Sentinel accepts connections, and would be waited for without end; the next one is asked.
  sentinelCommandTimeout: COMMAND_TIMEOUT,
  // Without it a client stays on the old primary for seconds after a planned failover.
  failoverDetector: true,
} satisfies RedisOptions

/** A frozen server accepts commands and replies to none. Its connection is dropped, so that the next ones fail at once. */
const TIME_LIMITS: TimeLimits = { commandTimeout: COMMAND_TIMEOUT, socketTimeout: COMMAND_TIMEOUT }

/** What differs on a connection for one purpose. */
export type RedisTuning = Partial<TimeLimits> & Pick<RedisOptions, 'enableReadyCheck' | 'retryStrategy'>

/** A connection to Redis, and whether it can be used now. */
export interface RedisConnection {
  readonly client: RedisClient
  /** Asks the server, for at most 400 ms, whether it takes writes. */
  isReady(): Promise<boolean>
  close(): void
}

/**
 * Opens a connection and waits a moment for it. A server that can't be reached is no error: the connection keeps
 * trying, and its commands fail until it succeeds. So does a server that refuses the credentials or the database: it
 * may accept them later. Losses go to `log`; of several connections to one server, one is enough.
 */
export async function openRedis(
  store: string | RedisOptions,
  log: FastifyBaseLogger | undefined,
  tuning: RedisTuning = {},
): Promise<RedisConnection> {
  const { commandTimeout, socketTimeout, ...tuned } = { ...TIME_LIMITS, ...tuning }
  const options = { ...FAIL_FAST, ...tuned }
  const client = typeof store === 'string' ? connectUrl(store, options) : new Redis({ ...store, ...options })
  const limits = { commandTimeout, socketTimeout }
  if (client instanceof Cluster) openNodes(client, limits)
  else {
    limitTime(client, limits)
    dropUnlessSetUp(client)
  }
  const close = keepOpen(client, RETRY_PAUSE)
  if (log) logOutages(client, log)
  // ioredis emits "error" for each attempt; commands reject by themselves.
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
    close,
    isReady: () => withinDeadline(takesWrites(client), COMMAND_TIMEOUT).catch(() => false),
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
    return new Cluster([...nodes], {
      redisOptions: options,
      enableOfflineQueue: false,
      clusterRetryStrategy: () => RETRY_PAUSE,
      slotsRefreshTimeout: COMMAND_TIMEOUT,
      // How often a command follows a slot that moves; no waiting for a failover within a request.
      maxRedirections: 4,
      retryDelayOnFailover: 0,
      retryDelayOnClusterDown: 0,
    })
  }
  if (kind === 'sentinel') {
    const sentinel = { sentinels: [...nodes], name: primary!, Connector: PromptSentinelConnector }
    return new Redis({ ...options, ...sentinel, db })
  }
  const [{ host, port }] = nodes as [(typeof nodes)[0]]
  return new Redis({ ...options, host, port, db, ...(tls && { tls: {} }) })
}

/** Each node of a Cluster has a connection of its own, which ioredis makes. */
function openNodes(cluster: Cluster, limits: TimeLimits): void {
  cluster.on('+node', (node: Redis) => {
    limitTime(node, limits)
    // When it is found, not when it is first used: all but the first of the commands that meet there would fail.
    void node.connect().catch(() => {})
  })
}

/** Rejects if the server can't be reached; of a Cluster any node is asked. */
async function takesWrites(client: RedisClient): Promise<boolean> {
  // ioredis lets INFO through on a connection that isn't ready yet.
  if (client.status !== 'ready') return false
  if (client instanceof Cluster) return (await client.ping()) === 'PONG'
  try {
    return !/^role:slave/m.test(await client.info('replication'))
  } catch (error) {
    // An ACL may keep INFO from us.
    if (!String(error).includes('NOPERM')) throw error
    return (await client.ping()) === 'PONG'
  }
}
