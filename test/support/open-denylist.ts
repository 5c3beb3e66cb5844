/** Denylists as processes have them: built as the plugin builds them, on a real Redis. */
import fastify from 'fastify'
import { createMetrics } from '../../src/metrics/metrics.js'
import { openRevocation } from '../../src/app/revocation.js'
import type { OpenRevocation, RevocationPorts } from '../../src/app/revocation.js'
import { parsePluginOptions } from '../../src/config/load.js'
import { START } from '../../src/revocation/entry.js'
import type { LogSettings } from '../../src/revocation/replica/revocation-log.js'
import { RedisLog } from '../../src/revocation/replica/redis-log.js'
import { redisKeys } from '../../src/redis/keys.js'
import type { RedisClient } from '../../src/redis/redis-client.js'
import { redisUrl } from './redis.js'
import type { Scope } from './redis.js'
import { openConnection } from './redis-session-store.js'
import { LIFE } from '../revocation/denylist.contract.js'

export interface InstanceOptions {
  readonly prefix: string
  readonly check: 'replica' | 'redis' | 'presence'
  readonly url?: string
  readonly life?: { readonly horizon: number; readonly leeway: number }
  readonly onLostHistory?: 'reject' | 'heal' | 'accept'
  readonly mayEvict?: RevocationPorts['mayEvict']
  /** false: there may be no server. */
  readonly waits?: boolean
  /** The connection that isn't the replica's own; default: as Portcullis opens it. */
  readonly redis?: RedisClient
}

/** The settings of a log that fit instances of `openInstance`. */
export const LOG_SETTINGS: LogSettings & { waitReplicas: number } = {
  ...LIFE,
  lease: 1_000,
  tolerance: 2_000,
  waitReplicas: 0,
}

/** One process's denylist, with connections of its own; it is closed at the test's end, if it wasn't before. */
export async function openInstance(t: Scope, options: InstanceOptions): Promise<OpenRevocation> {
  const { prefix, check, url = redisUrl(), life = LIFE, onLostHistory = 'heal' } = options
  const settings = parsePluginOptions({
    issuer: 'https://issuer.example',
    audience: 'https://api.example',
    store: url,
    keyPrefix: prefix,
    revocation: { check, onLostHistory },
  })
  const open = await openRevocation(settings, {
    redis: options.redis ?? (await openConnection(t, url, { waits: options.waits })),
    life,
    log: fastify().log,
    metrics: createMetrics({ ofProcess: false }),
    mayEvict: options.mayEvict ?? (() => false),
    endSession: async () => {},
  })
  let isClosed = false
  const close = async () => {
    if (isClosed) return
    isClosed = true
    await open.close()
  }
  t.teardown(close)
  return { ...open, close }
}

/**
 * Spares instances under a prefix that nobody has used before the wait in which leases of a lost epoch lapse: there are
 * none.
 */
export async function settle(client: RedisClient, prefix: string): Promise<void> {
  const log = new RedisLog(client, redisKeys(prefix), LOG_SETTINGS)
  const tool = {
    instance: '',
    epoch: '',
    applied: START,
    count: 1,
    settle: false,
    vouch: undefined,
    dead: [],
    who: false,
  }
  const { epoch } = await log.sync(tool, Date.now())
  await log.sync({ ...tool, epoch, settle: true }, Date.now())
}
