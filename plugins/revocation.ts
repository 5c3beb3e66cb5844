/**
 * The denylist, built on its adapter: memory, Redis asked each time, or the leased replica with its two connections.
 */
import { randomBytes } from 'node:crypto'
import type { FastifyBaseLogger } from 'fastify'
import { steadyClock, systemClock } from '../src/clock.js'
import type { Milliseconds } from '../src/clock.js'
import type { PluginSettings } from '../src/config.js'
import { STORE_DEADLINE } from '../src/deadline.js'
import { listDenylist } from '../src/revocation/list-denylist.js'
import { RedisBell } from '../src/revocation/replica/bell.js'
import { endLivingSessions } from '../src/revocation/replica/end-lost-sessions.js'
import { SyncLoop } from '../src/revocation/replica/sync-loop.js'
import { Instance } from '../src/revocation/replica/instance.js'
import type { Now, State, SyncOutcome } from '../src/revocation/replica/instance.js'
import { LeasedDenylist } from '../src/revocation/leased-denylist.js'
import { entryGrace, leaseLapse } from '../src/revocation/replica/revocation-log.js'
import type { LogSettings } from '../src/revocation/replica/revocation-log.js'
import { MemoryDenylist } from '../src/revocation/memory-denylist.js'
import type { EntryLifetime, Listing, ListQuery, Denylist } from '../src/revocation/denylist.js'
import { RedisDenylist } from '../src/revocation/redis-denylist.js'
import { RedisLog } from '../src/revocation/replica/redis-log.js'
import { redisKeys } from '../src/redis/keys.js'
import type { RedisClient } from '../src/redis/redis-client.js'
import type { Metrics } from './metrics.js'
import { openRedis } from './redis.js'
import { StartError } from '../src/start-error.js'

/** τ: how far a clock may be from that of Redis. More makes a login after a `sub` revoke wait longer. */
const TOLERANCE: Milliseconds = 2_000
/** Entries a page of a sync: about 3 ms of Redis, and as much of the event loop. */
const PAGE = 2_000
/** How long a start waits for the first lease: a little more than W, after which an empty Redis gives one. */
const START_PATIENCE: Milliseconds = 2_000

export interface OpenRevocation {
  readonly denylist: Denylist
  /** Whether requests can be decided now. */
  isLive(): boolean
  /** How much longer a revoke may take than other work of the store: until every instance is sure of it. */
  readonly patience: Milliseconds
  /** For `/readyz`. */
  status(): Readonly<Record<string, unknown>>
  /** A page of what is denied now. */
  list(query: ListQuery): Promise<Listing>
  close(): Promise<void>
}

export interface RevocationPorts {
  /** The connection of the session store; undefined for the embedded one. */
  readonly redis: RedisClient | undefined
  readonly life: EntryLifetime
  readonly log: FastifyBaseLogger
  readonly metrics: Metrics
  /** Whether Redis is known to drop keys when memory is short. */
  readonly mayEvict: () => boolean
  /** Ends a session's record. */
  readonly endSession: (sid: string) => Promise<void>
}

export async function openRevocation(
  settings: PluginSettings,
  ports: RevocationPorts,
): Promise<OpenRevocation> {
  const { redis, life } = ports
  if (!redis) {
    const denylist = new MemoryDenylist(systemClock, life, steadyClock)
    return unleased(denylist, 'memory', async (query) => denylist.list(query))
  }
  const { lease, waitReplicas, check } = settings.revocation
  const logSettings = { ...life, lease, tolerance: TOLERANCE, waitReplicas }
  if (check === 'replica') return openReplica(settings, ports, redis, logSettings)
  const keys = redisKeys(settings.keyPrefix)
  const log = new RedisLog(redis, keys, logSettings)
  const grace = entryGrace(logSettings)
  const { mayEvict } = ports
  if (mayEvict()) {
    throw new StartError(
      'revocation.check: redis needs a Redis that drops no keys; set its maxmemory-policy to noeviction (or use check: replica)',
    )
  }
  return {
    ...unleased(
      new RedisDenylist({ redis, keys, log, clock: systemClock, grace, tolerance: TOLERANCE, mayEvict }),
      'redis',
      (query) => listDenylist(redis, keys, query, Date.now()),
    ),
    // A server that wasn't there at the start is judged when it comes.
    isLive: () => !mayEvict(),
  }
}

/** One that needs no lease is as live as its store. */
function unleased(denylist: Denylist, check: string, list: OpenRevocation['list']): OpenRevocation {
  return {
    denylist,
    isLive: () => true,
    patience: 0,
    status: () => ({ check }),
    list,
    close: async () => {},
  }
}

async function openReplica(
  { store, keyPrefix, revocation: { onLostHistory } }: PluginSettings,
  { log: logger, metrics, endSession }: RevocationPorts,
  redis: RedisClient,
  logSettings: LogSettings & { waitReplicas: number },
): Promise<OpenRevocation> {
  const { lease } = logSettings
  const keys = redisKeys(keyPrefix)
  // Syncs follow each other closely; a server that doesn't answer is left soon. A new one is tried at least as often.
  const [followed, belled] = await Promise.all([
    openRedis(store, undefined, {
      commandTimeout: lease,
      socketTimeout: lease / 2,
      enableReadyCheck: false,
      retryStrategy: () => lease / 8,
    }),
    openRedis(store, undefined, {
      commandTimeout: undefined,
      socketTimeout: 5 * lease,
      enableReadyCheck: false,
      retryStrategy: () => lease / 4,
    }),
  ])
  const instance = new Instance({
    ...logSettings,
    id: randomBytes(9).toString('base64url'),
    onLostHistory,
    page: PAGE,
  })
  const log = new RedisLog(followed.client, keys, logSettings)
  const now = (): Now => ({ monotonic: performance.now(), wall: Date.now() })
  const watch = watchState(instance, logger, metrics, now)
  const follower = new SyncLoop({
    instance,
    log,
    bell: new RedisBell(belled.client, keys, lease),
    lease,
    now,
    endSessions: (sids) => endLivingSessions(redis, keys, sids, endSession),
    onSync: watch,
  })
  follower.start()
  await firstLease(instance, follower, now)
  return {
    denylist: new LeasedDenylist({
      instance,
      follower,
      log,
      lease,
      grace: entryGrace(logSettings),
      onLostHistory,
      now,
      onBarrier: metrics.barrier,
    }),
    isLive: () => instance.isLeased(now()),
    // With the store's work: 2W + 1 s in all.
    patience: Math.max(0, 2 * leaseLapse(logSettings) + 1_000 - STORE_DEADLINE),
    status: () => ({ check: 'replica', state: instance.state(now()), entries: instance.size }),
    list: (query) => listDenylist(redis, keys, query, Date.now()),
    async close() {
      await follower.stop()
      await log.leave(instance.id).catch(() => {})
      followed.close()
      belled.close()
    },
  }
}

/** Waits for the first lease, as long as it may still come soon; the instance works without, and recovers by itself. */
async function firstLease(instance: Instance, follower: SyncLoop, now: () => Now): Promise<void> {
  const until = now().monotonic + START_PATIENCE
  while (!instance.isLeased(now()) && now().monotonic < until) {
    await follower.nextSync(until - now().monotonic)
    if (instance.epoch === '') return
  }
}

/** Tells of changes that an operator wants to see, and counts. */
function watchState(instance: Instance, log: FastifyBaseLogger, metrics: Metrics, now: () => Now) {
  let [state, epoch, isFailing]: [State, string, boolean] = ['OUT', '', false]
  metrics.watchReplica({
    state: () => instance.state(now()),
    leaseLeft: () => instance.leaseLeft(now()),
    size: () => instance.size,
  })
  return (outcome: SyncOutcome | undefined, error: unknown): void => {
    if (outcome) metrics.applied(outcome.applied)
    else metrics.syncFailure()
    if (!outcome && !isFailing) {
      const reason = (error as { reason?: string } | undefined)?.reason ?? String(error)
      log.warn({ event: 'sync_failed', reason }, 'the log of revocations cannot be read')
    }
    isFailing = !outcome
    if (instance.epoch !== epoch) {
      if (epoch !== '')
        log.warn({ event: 'epoch_changed', from: epoch, to: instance.epoch }, 'Redis began a new life')
      if (epoch !== '') metrics.epochChange()
      epoch = instance.epoch
    }
    const current = instance.state(now())
    if (current !== state)
      log.info({ event: 'replica_state', from: state, to: current }, `replica: ${current}`)
    state = current
  }
}
