/**
 * Compares the settings of all instances that share a `keyPrefix`. Each instance writes its settings to a hash in Redis,
 * at the start and every 30 s, and reads those of the others. Requests and the revocation protocol don't depend on it.
 */
import { randomBytes } from 'node:crypto'
import type { Milliseconds } from '../clock.js'
import type { Log } from '../logger.js'
import type { Keys } from './keys.js'
import type { RedisClient } from './redis-client.js'

const INTERVAL: Milliseconds = 30_000
/** The settings of an instance that was killed are ignored after this time. A check may fail twice. */
const LIFETIME: Milliseconds = 100_000

/**
 * Writes the settings of one instance, removes those that are too old, and returns those of the other instances.
 *
 * KEYS settings · ARGV id of the instance, its settings, lifetime (ms).
 */
const EXCHANGE = `
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
local id, lifetime = ARGV[1], tonumber(ARGV[3])
redis.call('HSET', KEYS[1], id, string.format('%.0f', now) .. ' ' .. ARGV[2])
redis.call('PEXPIRE', KEYS[1], lifetime)
local others, rows = {}, redis.call('HGETALL', KEYS[1])
for i = 1, #rows, 2 do
  local at, settings = string.match(rows[i + 1], '^(%d+) (.*)$')
  if not at or tonumber(at) < now - lifetime then
    redis.call('HDEL', KEYS[1], rows[i])
  elseif rows[i] ~= id then
    others[#others + 1] = settings
  end
end
return others
`

export interface InstanceSettings {
  /** Returns the names of settings that differ on another instance, as of the last check that succeeded. */
  differing(): readonly string[]
  /** Removes the settings of this instance, so that its successor isn't compared with it. Never rejects. */
  close(): Promise<void>
}

export interface InstanceSettingsOptions {
  readonly redis: RedisClient
  readonly keys: Keys
  /** Settings by name. Other instances and operators can read them, so they must not contain a secret. */
  readonly settings: Readonly<Record<string, string | number>>
  readonly log: Log
}

/** Starts the checks. The first one runs at once, or when Redis becomes reachable. */
export function watchInstanceSettings({
  redis,
  keys,
  settings,
  log,
}: InstanceSettingsOptions): InstanceSettings {
  const id = randomBytes(9).toString('base64url')
  const written = JSON.stringify(settings)
  let differing: readonly string[] = []
  let isClosed = false
  const check = async () => {
    const others = (await redis.eval(EXCHANGE, 1, keys.settings, id, written, LIFETIME)) as string[]
    const found = findDifferences(settings, others)
    const isNew = found.join() !== differing.join()
    differing = found
    if (isNew && found.length > 0 && !isClosed)
      log.warn(
        { event: 'settings_differ', settings: found },
        `another instance with this keyPrefix has other settings: ${found.join(', ')}; give all instances the same`,
      )
  }
  let checking: Promise<void> | undefined
  const start = () => {
    // Outages are logged elsewhere. The next check is due soon.
    checking ??= check()
      .catch(() => {})
      .finally(() => (checking = undefined))
  }
  const timer = setInterval(start, INTERVAL).unref()
  redis.on('ready', start)
  start()
  return {
    differing: () => differing,
    async close() {
      isClosed = true
      clearInterval(timer)
      redis.off('ready', start)
      // A check that is still in progress would write the settings again.
      await checking
      await redis.hdel(keys.settings, id).catch(() => {})
    },
  }
}

/** Returns the settings of all instances that have written them lately. */
export async function readInstanceSettings(
  redis: RedisClient,
  keys: Keys,
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const rows = await redis.hgetall(keys.settings)
  return Object.values(rows).map((row) => parse(row.slice(row.indexOf(' ') + 1)))
}

/** Compares only settings that the other instance knows, because it may have another version. */
function findDifferences(settings: InstanceSettingsOptions['settings'], others: readonly string[]): string[] {
  const parsed = others.map(parse)
  return Object.entries(settings)
    .filter(([name, value]) => parsed.some((other) => Object.hasOwn(other, name) && other[name] !== value))
    .map(([name]) => name)
}

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(text)) as Record<string, unknown>
  } catch {
    return {}
  }
}
