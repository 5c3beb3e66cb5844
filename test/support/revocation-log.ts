/** The log on a real Redis, told and asked as an instance would, a call at a time. */
import type { Redis } from 'ioredis'
import type { Test } from 'tap'
import { START } from '../../src/revocation/entry.js'
import type { NewEntry } from '../../src/revocation/entry.js'
import type { RevokeReply, SyncReply, SyncRequest } from '../../src/revocation/replica/revocation-log.js'
import { RedisLog } from '../../src/revocation/replica/redis-log.js'
import type { RedisLogSettings } from '../../src/revocation/replica/redis-log.js'
import { redisKeys } from '../../src/redis/keys.js'
import type { Keys } from '../../src/redis/keys.js'
import { cleanUp, connect, redisUrl, uniquePrefix } from './redis.js'
import { LOG_SETTINGS } from './open-denylist.js'

/** H + G: how long an entry can matter. */
export const KEEP = LOG_SETTINGS.horizon + LOG_SETTINGS.leeway + 3 * LOG_SETTINGS.tolerance

export interface LogRig {
  readonly prefix: string
  readonly keys: Keys
  readonly server: Redis
  readonly log: RedisLog
  /** A sync of an instance that knows nothing, unless it is said what it knows. */
  sync(about?: Partial<SyncRequest>, wall?: number): Promise<SyncReply>
  /** Denies sessions. */
  deny(...sids: string[]): Promise<RevokeReply>
  revoke(...entries: (Partial<NewEntry> & Pick<NewEntry, 'kind' | 'id'>)[]): Promise<RevokeReply>
  /** The fields of the state, but for the members. */
  state(): Promise<Record<string, string>>
  /** The names of the members. */
  members(): Promise<string[]>
}

export interface LogRigOptions {
  readonly url?: string
  readonly settings?: Partial<RedisLogSettings>
  readonly prefix?: string
}

export function openLog(t: Test, options: LogRigOptions = {}): LogRig {
  const { url, settings, prefix = uniquePrefix() } = options
  if (url === undefined) cleanUp(t, prefix)
  const server = connect(t, url ?? redisUrl())
  const keys = redisKeys(prefix)
  const log = new RedisLog(server, keys, { ...LOG_SETTINGS, ...settings })
  const fields = () => server.hgetall(keys.logState)
  const revoke: LogRig['revoke'] = (...entries) =>
    log.revoke(
      entries.map((entry) => ({ before: 0, until: undefined, reason: '', ...entry })),
      Date.now(),
    )
  return {
    prefix,
    keys,
    server,
    log,
    revoke,
    deny: (...sids) => revoke(...sids.map((id) => ({ kind: 'sid', id }) as const)),
    sync: (about = {}, wall = Date.now()) =>
      log.sync(
        {
          instance: '',
          epoch: '',
          applied: START,
          count: 100,
          settle: false,
          vouch: undefined,
          dead: [],
          who: true,
          ...about,
        },
        wall,
      ),
    async state() {
      const known = Object.entries(await fields()).filter(([name]) => !name.startsWith('m:'))
      return Object.fromEntries(known)
    },
    async members() {
      const names = Object.keys(await fields()).filter((name) => name.startsWith('m:'))
      return names.map((name) => name.slice(2)).toSorted()
    },
  }
}
