/**
 * What a server must be like for the promises to hold: asked on every new connection, told in the log and by
 * `/readyz`.
 */
import type { FastifyBaseLogger } from 'fastify'
import type { Milliseconds } from '../src/clock.js'
import type { RedisClient } from '../src/redis/redis-client.js'

/** Half of τ: further off, an instance is near to losing its lease. */
const WARN_OFFSET: Milliseconds = 1_000
/** The first version that can trim the log by time. */
const MIN_VERSION = [6, 2] as const

/** The names that Redis has for them. */
const ROLES: Record<string, ServerChecks['role']> = { master: 'primary', slave: 'replica' }

/** `unknown`: the server doesn't tell (a managed service, an ACL). */
export interface ServerChecks {
  readonly version: string
  /** A replica takes no writes. */
  readonly role: 'primary' | 'replica' | 'unknown'
  readonly evictionPolicy: string
  readonly persistence: 'aof' | 'snapshots' | 'none' | 'unknown'
  /** How far this instance's clock is ahead of the server's. */
  readonly clockOffsetMs: number | undefined
}

export interface CheckedServer {
  /** Of the connection that is open now, or was last; undefined before the first. */
  checks(): ServerChecks | undefined
  /** It is known to drop keys when memory is short: a denial could be one of them. */
  mayEvict(): boolean
}

/** Checks a server now, if it is connected, and whenever a connection is made anew. */
export async function checkServer(client: RedisClient, log: FastifyBaseLogger): Promise<CheckedServer> {
  let found: ServerChecks | undefined
  let told = ''
  const check = async () => {
    found = await inspect(client).catch(() => found)
    const complaints = found ? listComplaints(found) : []
    // A connection that comes and goes needn't repeat them.
    if (complaints.join() === told) return
    told = complaints.join()
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

/** Of `CONFIG GET`'s name and value. */
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
    complaints.push(`Redis ${version} is too old; it must be ${MIN_VERSION.join('.')} or later`)
  if (role === 'replica')
    complaints.push('store: this Redis is a replica, which takes no writes; give the address of its primary')
  if (mayEvict(checks)) {
    complaints.push(
      `Redis has maxmemory-policy ${evictionPolicy}: when memory is short, it drops denials and sessions; set it to noeviction`,
    )
  }
  if (persistence === 'none') {
    complaints.push('Redis keeps nothing on disk: a restart forgets every session; set appendonly yes')
  }
  if (clockOffsetMs !== undefined && Math.abs(clockOffsetMs) >= WARN_OFFSET) {
    complaints.push(
      `this clock is ${clockOffsetMs} ms ahead of that of Redis; beyond 2000 there are no leases`,
    )
  }
  return complaints
}
