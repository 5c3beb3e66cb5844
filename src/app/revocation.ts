/**
 * Builds the denylist on one of its adapters: in memory, a query to Redis per request, or the leased replica with two
 * connections of its own.
 */
import type { Log } from '../logger.js'
import { randomBytes } from 'node:crypto'
import { CLOCK_TOLERANCE, steadyClock, systemClock } from '../clock.js'
import type { Milliseconds } from '../clock.js'
import type { PluginSettings } from '../config.js'
import { STORE_DEADLINE } from '../deadline.js'
import { NoDenylist } from '../revocation/no-denylist.js'
import { listDenylist } from '../revocation/list-denylist.js'
import { RedisBell } from '../revocation/replica/bell.js'
import { endLivingSessions } from '../revocation/replica/end-lost-sessions.js'
import { SyncLoop } from '../revocation/replica/sync-loop.js'
import { Instance } from '../revocation/replica/instance.js'
import type { Now, State, SyncOutcome } from '../revocation/replica/instance.js'
import { LeasedDenylist } from '../revocation/leased-denylist.js'
import { entryGrace, leaseLapse } from '../revocation/replica/revocation-log.js'
import type { LogSettings } from '../revocation/replica/revocation-log.js'
import { MemoryDenylist } from '../revocation/memory-denylist.js'
import type { EntryLifetime, Listing, ListQuery, Denylist } from '../revocation/denylist.js'
import { RedisDenylist } from '../revocation/redis-denylist.js'
import { RedisLog } from '../revocation/replica/redis-log.js'
import { redisKeys } from '../redis/keys.js'
import type { RedisClient } from '../redis/redis-client.js'
import type { Metrics } from '../metrics/metrics.js'
import { openRedis } from '../redis/connect.js'
import { StartError } from '../start-error.js'

/** Entries that one sync reads at most. They take about 3 ms of Redis and 3 ms of the event loop. */
const MAX_SYNC_ENTRIES = 2_000
/** How long the start waits for the first lease. An empty Redis grants one after W, which is a little less. */
const START_PATIENCE: Milliseconds = 2_000

export interface OpenRevocation {
  readonly denylist: Denylist
  /** Returns true if the denylist can decide without an outage. */
  isLive(): boolean
  /** How much longer a revoke may take than other work of the store, because it waits for all instances. */
  readonly patience: Milliseconds
  /** Returns the state for `/readyz`. */
  status(): Readonly<Record<string, unknown>>
  /** Lists one page of the denylist. */
  list(query: ListQuery): Promise<Listing>
  close(): Promise<void>
}

export interface RevocationPorts {
  /** The connection of the session store. `undefined` with `store: memory` and `none`. */
  readonly redis: RedisClient | undefined
  readonly life: EntryLifetime
  readonly log: Log
  readonly metrics: Metrics
  /** Returns true if Redis is known to evict keys when memory is short. */
  readonly mayEvict: () => boolean
  /** Ends the record of a session. */
  readonly endSession: (sid: string) => Promise<void>
}

/**
 * Opens the denylist that the settings name, and waits up to 2 s for the first lease.
 *
 * @throws {StartError} if `revocation.check` is `redis` or `presence`, and Redis may evict denylist entries
 */
export async function openRevocation(
  settings: PluginSettings,
  ports: RevocationPorts,
): Promise<OpenRevocation> {
  const { redis, life } = ports
  if (settings.store === 'none')
    return unleased(new NoDenylist(systemClock, life.leeway), 'none', async () => ({ entries: [] }))
  if (!redis) {
    const denylist = new MemoryDenylist(systemClock, life, steadyClock)
    return unleased(denylist, 'memory', async (query) => denylist.list(query))
  }
  const { lease, waitReplicas, check } = settings.revocation
  const logSettings = { ...life, lease, tolerance: CLOCK_TOLERANCE, waitReplicas }
  if (check === 'replica') return openReplica(settings, ports, redis, logSettings)
  const keys = redisKeys(settings.keyPrefix)
  const log = new RedisLog(redis, keys, logSettings)
  const grace = entryGrace(logSettings)
  const { mayEvict } = ports
  if (mayEvict()) {
    throw new StartError(
      `revocation.check: with ${check}, Redis must not evict keys; set its maxmemory-policy to noeviction, or use check: replica`,
    )
  }
  return {
    ...unleased(
      new RedisDenylist({
        redis,
        keys,
        log,
        clock: systemClock,
        horizon: life.horizon,
        grace,
        tolerance: CLOCK_TOLERANCE,
        mayEvict,
        needsSession: check === 'presence',
      }),
      check,
      (query) => listDenylist(redis, keys, query, Date.now()),
    ),
    // A server that was unreachable at the start is checked when it connects.
    isLive: () => !mayEvict(),
  }
}

/** Completes a denylist that needs no lease. It is live whenever its store is reachable. */
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
  // A sync must not wait long for a server that doesn't respond, or the lease ends. So the time limits are fractions of
  // the lease, and reconnects come even sooner.
  const [syncConnection, bellConnection] = await Promise.all([
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
    page: MAX_SYNC_ENTRIES,
  })
  const log = new RedisLog(syncConnection.client, keys, logSettings)
  const now = (): Now => ({ monotonic: performance.now(), wall: Date.now() })
  const observe = createObserver(instance, logger, metrics, now)
  const syncLoop = new SyncLoop({
    instance,
    log,
    bell: new RedisBell(bellConnection.client, keys, lease),
    lease,
    now,
    endSessions: (sids) => endLivingSessions(redis, keys, sids, endSession),
    onSync: observe,
  })
  syncLoop.start()
  await awaitFirstLease(instance, syncLoop, now)
  return {
    denylist: new LeasedDenylist({
      instance,
      syncLoop,
      log,
      lease,
      horizon: logSettings.horizon,
      grace: entryGrace(logSettings),
      onLostHistory,
      now,
      onBarrier: metrics.barrier,
    }),
    isLive: () => instance.isLeased(now()),
    // Together with the store's deadline, a revoke may take 2W + 1 s.
    patience: Math.max(0, 2 * leaseLapse(logSettings) + 1_000 - STORE_DEADLINE),
    status: () => ({ check: 'replica', state: instance.state(now()), entries: instance.size }),
    list: (query) => listDenylist(redis, keys, query, Date.now()),
    async close() {
      await syncLoop.stop()
      await log.leave(instance.id).catch(() => {})
      syncConnection.close()
      bellConnection.close()
    },
  }
}

/**
 * Waits up to 2 s for the first lease, unless the first sync fails. The instance starts without it and gets it later.
 */
async function awaitFirstLease(instance: Instance, syncLoop: SyncLoop, now: () => Now): Promise<void> {
  const until = now().monotonic + START_PATIENCE
  while (!instance.isLeased(now()) && now().monotonic < until) {
    await syncLoop.nextSync(until - now().monotonic)
    if (instance.epoch === '') return
  }
}

/** Returns a function that logs state changes and updates the metrics after each sync. */
function createObserver(instance: Instance, log: Log, metrics: Metrics, now: () => Now) {
  let [state, epoch, isFailing, isLeftEpoch]: [State, string, boolean, boolean] = ['OUT', '', false, false]
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
      log.warn({ event: 'sync_failed', reason }, 'the revocation log is not readable')
    }
    isFailing = !outcome
    if (outcome?.isLeftEpoch && !isLeftEpoch)
      log.warn(
        { event: 'left_epoch' },
        'Redis answers as an old primary from before the last failover; no lease while it does, for 30 s at most',
      )
    if (outcome) isLeftEpoch = outcome.isLeftEpoch
    if (instance.epoch !== epoch) {
      if (epoch !== '')
        log.warn(
          { event: 'epoch_changed', from: epoch, to: instance.epoch },
          'Redis was restarted, failed over or lost data; it has a new epoch',
        )
      if (epoch !== '') metrics.epochChange()
      epoch = instance.epoch
    }
    const current = instance.state(now())
    if (current !== state)
      log.info({ event: 'replica_state', from: state, to: current }, `replica: ${current}`)
    state = current
  }
}
