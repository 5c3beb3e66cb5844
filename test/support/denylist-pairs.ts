/** The denylist contract's harness for what keeps its entries in Redis: two processes, one revokes, both are asked. */
import type { Redis } from 'ioredis'
import { systemClock } from '../../src/clock.js'
import type { Milliseconds } from '../../src/clock.js'
import { entryGrace } from '../../src/revocation/replica/revocation-log.js'
import type { RevocationReason, RevocableToken, Denylist } from '../../src/revocation/denylist.js'
import { redisKeys } from '../../src/redis/keys.js'
import type { RedisClient } from '../../src/redis/redis-client.js'
import { uniquePrefix } from './redis.js'
import type { Scope } from './redis.js'
import { fastForward } from './redis-session-store.js'
import { SECOND } from '../revocation/denylist.contract.js'
import type { DenylistHarness } from '../revocation/denylist.contract.js'
import { LOG_SETTINGS, openInstance, settle } from './open-denylist.js'

export interface Servers {
  readonly url: string
  /** Of those that hold data. */
  readonly servers: readonly Redis[]
  readonly client: RedisClient
}

export interface RedisDenylistHarness extends DenylistHarness {
  readonly prefix: string
  readonly instances: readonly Denylist[]
}

/** How long a denylist entry in Redis outlives what it denies. */
export const BEYOND = entryGrace(LOG_SETTINGS)

/**
 * Time can't be moved in a Redis. So everything that it keeps is made older instead; and as a replica keeps its own,
 * both processes are replaced by new ones then.
 */
export async function openPair(
  t: Scope,
  choice: 'replica' | 'redis',
  { url, servers, client }: Servers,
): Promise<RedisDenylistHarness> {
  const prefix = uniquePrefix()
  await settle(client, prefix)
  const options = { prefix, url, check: choice }
  const open = () => Promise.all([openInstance(t, options), openInstance(t, options)])
  let pair = await open()
  let turn = 0
  const instances = () => pair.map(({ denylist }) => denylist)
  const denylist: Denylist = {
    check: (token) => agreed(instances(), token),
    checkInOutage: (token, onOutage) => instances()[0]!.checkInOutage(token, onOutage),
    peek: (token) => instances()[0]!.peek(token),
    version: () => instances()[0]!.version(),
    revoke: (entries) => instances()[turn++ % 2]!.revoke(entries),
    stamp: (sub) => instances()[1]!.stamp(sub),
    latestIssue: () => instances()[0]!.latestIssue(),
    trusts: (jtiPrefix, writtenAt) => instances()[0]!.trusts(jtiPrefix, writtenAt),
  }
  return {
    prefix,
    denylist,
    get instances() {
      return instances()
    },
    clock: systemClock,
    beyond: BEYOND,
    rounding: choice === 'replica' ? SECOND : 0,
    pass: () => {},
    async advance(milliseconds) {
      await Promise.all(pair.map((one) => one.close()))
      await fastForward(servers, prefix, milliseconds)
      await ageLog(client, redisKeys(prefix).log, milliseconds)
      pair = await open()
    },
  }
}

async function agreed(
  instances: readonly Denylist[],
  token: RevocableToken,
): Promise<RevocationReason | undefined> {
  const [one, ...more] = await Promise.all(instances.map((instance) => instance.check(token)))
  if (more.some((other) => other !== one)) throw new Error(`one instance says ${one}, another ${more.join()}`)
  return one
}

/** Moves the `until` of every entry; the log is otherwise as it was, so that the epoch goes on. */
async function ageLog(client: RedisClient, key: string, milliseconds: Milliseconds): Promise<void> {
  await client.eval(
    `local entries = redis.call('XRANGE', KEYS[1], '-', '+')
    redis.call('DEL', KEYS[1])
    for _, entry in ipairs(entries) do
      local text = entry[2][2]
      local kind, before, till, id = string.match(text, '^(%a+) (%d+) (%d+) (.*)$')
      if kind then text = string.format('%s %s %.0f %s', kind, before, tonumber(till) - tonumber(ARGV[1]), id) end
      redis.call('XADD', KEYS[1], entry[1], 'e', text)
    end`,
    1,
    key,
    milliseconds,
  )
}
