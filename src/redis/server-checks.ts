/**
 * Checks whether the version and the configuration of a Redis server are fit for sessions and the denylist. The checks
 * run on every new connection. Their results appear in the log and in `/readyz`.
 */
import type { Log } from '../logger.js'
import type { Milliseconds } from '../clock.js'
import type { RedisClient } from './redis-client.js'

/** Half of the tolerated clock difference τ. Beyond τ, an instance gets no lease. */
const WARN_OFFSET: Milliseconds = 1_000
/** The first version that can trim a stream by time (`XTRIM MINID`), as the revocation log needs. */
const MIN_VERSION = [6, 2] as const

/** Roles by the names that Redis uses. */
const ROLES: Record<string, ServerChecks['role']> = { master: 'primary', slave: 'replica' }

/**
 * Results of the checks. `unknown` means that the server doesn't allow the command, by an ACL or as a managed service.
 */
export interface ServerChecks {
  readonly version: string
  /** A Redis replica takes no writes, so the gateway can't use it. */
  readonly role: 'primary' | 'replica' | 'unknown'
  readonly evictionPolicy: string
  readonly persistence: 'aof' | 'snapshots' | 'none' | 'unknown'
  /** How far this instance's clock is ahead of the server's clock. Negative if it is behind. */
  readonly clockOffsetMs: number | undefined
}

export interface CheckedServer {
  /** Returns the results for the current or the last connection, `undefined` before the first connection. */
  checks(): ServerChecks | undefined
  /** Returns true if the server is known to evict keys when memory is short. Denylist entries could be among them. */
  mayEvict(): boolean
}

/** Checks the server now if it is connected, and again after every reconnect. Logs each complaint as a warning. */
export async function checkServer(client: RedisClient, log: Log): Promise<CheckedServer> {
  let found: ServerChecks | undefined
  let logged = ''
  const check = async () => {
    found = await inspect(client).catch(() => found)
    const complaints = found ? listComplaints(found) : []
    // An unstable connection must not repeat the same warnings.
    if (complaints.join() === logged) return
    logged = complaints.join()
    for (const complaint of complaints) log.warn({ event: 'redis_check', ...found }, complaint)
  }
  client.on('ready', () => void check())
  if (client.status === 'ready') await check()
  return {
    checks: () => found,
    mayEvict: () => found !== undefined && mayEvict(found),
  }
}

async function inspect(client: RedisClient): Promise<ServerChecks> {
  const unknown = () => undefined
  const [info, replication, policy, aof, save, time] = await Promise.all([
    client.info('server').catch(unknown),
    client.info('replication').catch(unknown),
    client.config('GET', 'maxmemory-policy').catch(unknown),
    client.config('GET', 'appendonly').catch(unknown),
    client.config('GET', 'save').catch(unknown),
    client.time().catch(unknown),
  ])
  const [appendOnly, snapshots] = [configValue(aof), configValue(save)]
  const serverNow = time && Number(time[0]) * 1000 + Number(time[1]) / 1000
  return {
    version: /redis_version:([\d.]+)/.exec(String(info))?.[1] ?? 'unknown',
    role: ROLES[/^role:(\w+)/m.exec(String(replication))?.[1] ?? ''] ?? 'unknown',
    evictionPolicy: configValue(policy) ?? 'unknown',
    persistence:
      appendOnly === undefined ? 'unknown' : appendOnly === 'yes' ? 'aof' : snapshots ? 'snapshots' : 'none',
    clockOffsetMs: serverNow === undefined ? undefined : Math.round(Date.now() - serverNow),
  }
}

/** Returns the value from the reply of `CONFIG GET`, which is a list of name and value. */
function configValue(reply: unknown): string | undefined {
  return Array.isArray(reply) && reply.length > 1 ? String(reply[1]) : undefined
}

function mayEvict({ evictionPolicy }: ServerChecks): boolean {
  return evictionPolicy !== 'noeviction' && evictionPolicy !== 'unknown'
}

function listComplaints(checks: ServerChecks): string[] {
  const { version, role, evictionPolicy, persistence, clockOffsetMs } = checks
  const complaints: string[] = []
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const isOld = major < MIN_VERSION[0] || (major === MIN_VERSION[0] && minor < MIN_VERSION[1])
  if (version !== 'unknown' && isOld)
    complaints.push(`Redis ${version} is too old; use ${MIN_VERSION.join('.')} or later`)
  if (role === 'replica')
    complaints.push(
      'store: this Redis server is a replica, which takes no writes; set store to the address of the primary',
    )
  if (mayEvict(checks)) {
    complaints.push(
      `Redis has maxmemory-policy ${evictionPolicy}, so it drops denylist entries and sessions when memory is short; set it to noeviction`,
    )
  }
  if (persistence === 'none') {
    complaints.push('Redis keeps nothing on disk, so a restart loses every session; set appendonly yes')
  }
  if (clockOffsetMs !== undefined && Math.abs(clockOffsetMs) >= WARN_OFFSET) {
    complaints.push(
      `the clock of this instance is ${clockOffsetMs} ms ahead of the clock of Redis; beyond 2000 ms the instance gets no lease`,
    )
  }
  return complaints
}
