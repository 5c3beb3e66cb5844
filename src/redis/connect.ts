import type { Log } from '../logger.js'
import { Cluster, Redis } from 'ioredis'
import type { RedisOptions as IoRedisOptions } from 'ioredis'
import { withinDeadline } from '../deadline.js'
import { dropUnlessSetUp, keepOpen } from './keep-open.js'
import type { RedisClient } from './redis-client.js'
import { limitTime } from './time-limits.js'
import type { TimeLimits } from './time-limits.js'
import { PromptSentinelConnector } from './sentinel-connector.js'
import { parseRedisUrl } from './url.js'
import { logOutages } from './outage-log.js'

/** The options without `replyMapping`, which would change the format of replies. */
type RedisOptions = Omit<IoRedisOptions, 'replyMapping'>

/**
 * Time limit for one command, in ms. Several commands in a row must fit into the 2 s in which every response is sent.
 */
const COMMAND_TIMEOUT = 400

/** Pause before the next attempt, after a failed attempt or a lost connection, in ms. */
const RETRY_PAUSE = 200

/** How long the start waits for Redis before it continues without a connection, in ms. */
const START_PATIENCE = 1_000

/**
 * Options that make commands fail at once, so that the caller can decide. With ioredis' defaults, commands wait for a
 * connection, and a dead Redis would block every request.
 */
const FAIL_FAST = {
  // Without a connection, a command fails at once instead of waiting for one.
  enableOfflineQueue: false,
  // A command whose connection is lost fails at once …
  maxRetriesPerRequest: 0,
  // … and isn't sent again after a reconnect. A script that ran before its reply was lost would run twice.
  autoResendUnfulfilledCommands: false,
  // Replaced by our own time limits (`limitTime`).
  commandTimeout: undefined,
  socketTimeout: undefined,
  connectTimeout: 1_000,
  // Close at once. ioredis would wait up to 2 s for the server to close, and keep the process alive.
  disconnectTimeout: 0,
  // The client becomes ready when the server has replied, not when the kernel has accepted the connection.
  enableReadyCheck: true,
  // Bounds the time from the server's return to the next attempt.
  retryStrategy: () => RETRY_PAUSE,
  // After a failover the old primary is a replica, so connect again to find the new primary.
  reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
  sentinelRetryStrategy: () => RETRY_PAUSE,
  // A frozen Sentinel accepts connections but never replies. After the timeout the next Sentinel is queried.
  sentinelCommandTimeout: COMMAND_TIMEOUT,
  // Without this option a client stays on the old primary for seconds after a planned failover.
  failoverDetector: true,
} satisfies RedisOptions

/** A frozen server accepts commands but never replies. Its connection is dropped, so later commands fail at once. */
const TIME_LIMITS: TimeLimits = { commandTimeout: COMMAND_TIMEOUT, socketTimeout: COMMAND_TIMEOUT }

/** Options that differ for a connection with a special purpose. */
export type RedisTuning = Partial<TimeLimits> & Pick<RedisOptions, 'enableReadyCheck' | 'retryStrategy'>

/** An open connection to Redis, which reconnects after a loss. */
export interface RedisConnection {
  readonly client: RedisClient
  /** Returns true if the server takes writes. Waits for its reply for 400 ms at most. */
  isReady(): Promise<boolean>
  close(): void
}

/**
 * Opens a connection and waits up to 1 s until it is ready. If the server is unreachable, or refuses the credentials or
 * the database, the function still returns. The connection keeps trying, and commands fail until it succeeds.
 *
 * @param log Receives outages. Pass `undefined` for further connections to the same server, to log an outage once.
 */
export async function openRedis(
  store: string | RedisOptions,
  log: Log | undefined,
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
  // Without a listener, an "error" event would end the process. Commands still reject.
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
      // How often a command follows a slot that moves. A request never waits for a failover.
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

/** Sets up the connections to the nodes of a Cluster. ioredis creates one per node. */
function openNodes(cluster: Cluster, limits: TimeLimits): void {
  cluster.on('+node', (node: Redis) => {
    limitTime(node, limits)
    // Connect when the node is found. If the first command opened the connection, commands sent meanwhile would fail.
    void node.connect().catch(() => {})
  })
}

/**
 * Returns true if the server replies and isn't a replica. For a Cluster, a reply of any node is enough.
 *
 * @throws {Error} if the server is unreachable
 */
async function takesWrites(client: RedisClient): Promise<boolean> {
  // ioredis sends INFO also on a connection that isn't ready yet.
  if (client.status !== 'ready') return false
  if (client instanceof Cluster) return (await client.ping()) === 'PONG'
  try {
    return !/^role:slave/m.test(await client.info('replication'))
  } catch (error) {
    // An ACL may forbid INFO.
    if (!String(error).includes('NOPERM')) throw error
    return (await client.ping()) === 'PONG'
  }
}
