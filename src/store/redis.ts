import type { Session, Sid, EndReason } from '../session/session.js'
import type { UnixMs } from '../clock.js'
import { storeUnavailable } from '../errors.js'
import type { RedisClient } from './redis-client.js'
import type { Keys } from './keys.js'
import { EXPIRY_SLACK, latestEnd } from './port.js'
import type { EndOutcome, Ending, Rotation, RotationOutcome, SessionSecrets, SessionStore } from './port.js'
import type { RedisScripts } from './redis-scripts.js'
import { SESSION_FIELDS } from './scripts.js'

type Fields = (string | null)[]

/** The session store in Redis: a hash a session, a sorted set a subject. */
export class RedisSessionStore implements SessionStore {
  readonly #redis: RedisClient
  readonly #scripts: RedisScripts
  readonly #keys: Keys

  constructor(redis: RedisClient, scripts: RedisScripts, keys: Keys) {
    this.#redis = redis
    this.#scripts = scripts
    this.#keys = keys
  }

  async create(session: Session, { familyHash, secretHash }: SessionSecrets): Promise<void> {
    await this.#index(session, session.createdAt)
    const life = session.expiresAt - session.createdAt + EXPIRY_SLACK
    const record = {
      ...toFields(session),
      family: familyHash,
      current: secretHash,
      rotated: '0',
    }
    const created = await this.#run('createSession', this.#keys.session(session.sid), [
      life,
      ...Object.entries(record).flat(),
    ])
    // 128 random bits don't meet twice: a command that was sent again, if anything.
    if (created !== 1) throw storeUnavailable(`session ${session.sid} exists already`)
  }

  async rotate(rotation: Rotation): Promise<RotationOutcome> {
    const { sid, now, idle } = rotation
    const reply = (await this.#run('rotateSession', this.#keys.session(sid), [
      rotation.familyHash,
      rotation.secretHash,
      rotation.salt,
      rotation.successorHash,
      now,
      idle,
      rotation.refreshLimit,
      rotation.reuseGrace,
      rotation.tombstone,
      EXPIRY_SLACK,
      rotation.mark,
      // Not the caller's `now`: this is about the way, not about the session.
      Date.now(),
    ])) as [RotationOutcome['kind'], ...unknown[]]
    const outcome = toOutcome(sid, reply)
    // Without an absolute end the index lives as long as the last rotation says. A retry repeats it, so that an
    // answer of 503 between the two steps heals.
    if ('session' in outcome && outcome.session.endsAt === 0) await this.#index(outcome.session, now)
    return outcome
  }

  async end({ sid, reason, familyHash = '', sub = '', tombstone }: Ending): Promise<EndOutcome> {
    const key = this.#keys.session(sid)
    const reply = (await this.#run('endSession', key, [reason, familyHash, sub, tombstone])) as [
      EndOutcome['kind'],
      string,
    ]
    const [kind, owner] = reply
    if (kind === 'foreign' || kind === 'unknown') return { kind }
    // Tidiness only: a reader prunes what stays behind here.
    if (kind === 'ended') this.#redis.zrem(this.#keys.subject(owner), sid).catch(() => {})
    return { kind, sub: owner }
  }

  async list(sub: string, now: UnixMs): Promise<Session[]> {
    const index = this.#keys.subject(sub)
    try {
      await this.#redis.zremrangebyscore(index, '-inf', `(${now}`)
      const sids = (await this.#redis.zrange(index, '0', '-1')) as Sid[]
      const records = await Promise.all(
        sids.map((sid) => this.#redis.hmget(this.#keys.session(sid), 'ended', ...SESSION_FIELDS)),
      )
      const ended = sids.filter((_, i) => typeof records[i]?.[0] === 'string')
      if (ended.length > 0) await this.#redis.zrem(index, ...ended)
      return sids
        .map((sid, i) => toSession(sid, records[i]!.slice(1)))
        .filter((session): session is Session => session !== undefined && session.expiresAt > now)
        .toSorted((a, b) => a.createdAt - b.createdAt || (a.sid < b.sid ? -1 : 1))
    } catch (error) {
      throw storeUnavailable(error)
    }
  }

  async #index(session: Session, now: UnixMs): Promise<void> {
    const end = latestEnd(session)
    await this.#run('indexSession', this.#keys.subject(session.sub), [
      session.sid,
      end,
      now,
      end - now + EXPIRY_SLACK,
    ])
  }

  async #run(script: keyof RedisScripts, key: string, args: (string | number)[]): Promise<unknown> {
    try {
      return await this.#scripts[script](key, ...args)
    } catch (error) {
      throw storeUnavailable(error)
    }
  }
}

function toOutcome(
  sid: Sid,
  [kind, first, second, third, fourth]: [RotationOutcome['kind'], ...unknown[]],
): RotationOutcome {
  switch (kind) {
    case 'rotated':
      return {
        kind,
        session: toSession(sid, first as Fields)!,
        former: { mark: second as string, at: Number(third) },
      }
    case 'retried':
      return {
        kind,
        session: toSession(sid, first as Fields)!,
        former: { mark: second as string, at: Number(third) },
        salt: fourth as string,
      }
    case 'reused':
      return { kind, sub: first as string }
    case 'ended':
      return { kind, sub: first as string, reason: second as EndReason }
    default:
      return { kind }
  }
}

/** A session's record, but for its secrets. `undefined` values are left out. */
function toFields(session: Session): Record<string, string> {
  const fields: Record<(typeof SESSION_FIELDS)[number], string | undefined> = {
    sub: session.sub,
    client: session.clientId,
    scope: session.scope,
    claims: JSON.stringify(session.claims),
    device: session.device,
    ip: session.ip,
    agent: session.userAgent,
    created: String(session.createdAt),
    seen: String(session.lastSeenAt),
    ends: String(session.endsAt),
    expires: String(session.expiresAt),
    count: String(session.refreshCount),
    mark: session.mark,
  }
  return Object.fromEntries(
    Object.entries(fields).filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
}

/** The session in a reply, or undefined where there is none (any more). */
function toSession(sid: Sid, fields: Fields): Session | undefined {
  const [sub, client, scope, claims, device, ip, agent, created, seen, ends, expires, count, mark] = fields
  if (sub == null || client == null || claims == null) return undefined
  return {
    sid,
    sub,
    clientId: client,
    scope: scope ?? undefined,
    claims: JSON.parse(claims) as Session['claims'],
    device: device ?? undefined,
    ip: ip ?? undefined,
    userAgent: agent ?? undefined,
    createdAt: Number(created),
    lastSeenAt: Number(seen),
    endsAt: Number(ends),
    expiresAt: Number(expires),
    refreshCount: Number(count),
    mark: mark ?? '',
  }
}
