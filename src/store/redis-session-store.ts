import type { Session, Sid } from '../session/session.js'
import { CLOCK_TOLERANCE } from '../clock.js'
import type { Milliseconds, UnixMs } from '../clock.js'
import { storeUnavailable } from '../errors.js'
import type { RedisClient } from '../redis/redis-client.js'
import type { Keys } from '../redis/keys.js'
import { EXPIRY_SLACK, INDEX_SLACK, latestEnd, mustIndexAgain } from './session-store.js'
import type {
  Cutoff,
  EndOutcome,
  EndRequest,
  IndexedSession,
  IndexPlace,
  RotationRequest,
  RotationOutcome,
  SessionSecrets,
  SessionStore,
} from './session-store.js'
import type { RedisScripts } from './define-scripts.js'
import { parseRotation } from './rotation-reply.js'
import type { RotationReply } from './rotation-reply.js'
import { toFields, toSession } from './session-record.js'
import { SESSION_FIELDS } from './session-scripts.js'

/** Number of records that are read at once. Other calls on the connection can run between two batches. */
const BATCH = 100

/** The session store in Redis: one hash per session, one sorted set per subject. */
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
    // No two random ids are equal, so there is a tombstone: the session was ended while its login was in progress.
    if (created !== 1) throw storeUnavailable(`session ${session.sid} exists already`)
  }

  async read(sid: Sid): Promise<Session | undefined> {
    try {
      const [ended, ...fields] = await this.#redis.hmget(this.#keys.session(sid), 'ended', ...SESSION_FIELDS)
      return typeof ended === 'string' ? undefined : toSession(sid, fields)
    } catch (error) {
      throw storeUnavailable(error)
    }
  }

  async readCurrent(sid: Sid, { familyHash, secretHash }: SessionSecrets): Promise<Session | undefined> {
    try {
      const key = this.#keys.session(sid)
      const [family, current, ...fields] = await this.#redis.hmget(
        key,
        'family',
        'current',
        ...SESSION_FIELDS,
      )
      return family === familyHash && current === secretHash ? toSession(sid, fields) : undefined
    } catch (error) {
      throw storeUnavailable(error)
    }
  }

  async rotate(rotation: RotationRequest): Promise<RotationOutcome> {
    const { sid, now, idle } = rotation
    const rotating = this.#run('rotateSession', this.#keys.session(sid), [
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
      rotation.jtiPrefix,
      // Not the caller's `now`, because the script checks how long the command has been on the way.
      Date.now(),
      rotation.issuedAt,
      rotation.identity ? JSON.stringify(rotation.identity.claims) : '',
      rotation.identity?.scope ?? '',
    ]) as Promise<RotationReply>
    // Sent right after the script, so this costs no further round trip.
    const [reply, cutoff] = await Promise.all([rotating, this.cutoff()])
    const outcome = parseRotation(sid, reply, cutoff)
    if ('session' in outcome && mustIndexAgain(outcome, rotation)) await this.#index(outcome.session, now)
    return outcome
  }

  async end({
    sid,
    reason,
    familyHash = '',
    sub = '',
    indexedFor = '',
    isProven = false,
    tombstone,
  }: EndRequest): Promise<EndOutcome> {
    const args = [reason, familyHash, sub, tombstone, indexedFor, isProven ? '1' : '']
    const reply = await this.#run('endSession', this.#keys.session(sid), args)
    const [kind, owner, endedAt] = reply as [EndOutcome['kind'], string, string?]
    if (kind === 'foreign' || kind === 'unknown') return { kind }
    return kind === 'ended' ? { kind, sub: owner } : { kind, sub: owner, endedAt: Number(endedAt) }
  }

  async recordRevokedToken(jti: string, _now: UnixMs, ttl: Milliseconds): Promise<void> {
    try {
      await this.#redis.set(this.#keys.revokedToken(jti), '1', 'PX', ttl)
    } catch (error) {
      throw storeUnavailable(error)
    }
  }

  async isRecordedAsRevoked(jti: string): Promise<boolean> {
    try {
      return (await this.#redis.exists(this.#keys.revokedToken(jti))) === 1
    } catch (error) {
      throw storeUnavailable(error)
    }
  }

  async setCutoff({ before, ttl }: Cutoff): Promise<void> {
    await this.#run('setCutoff', this.#keys.cutoff, [before ?? 'now', CLOCK_TOLERANCE, ttl])
  }

  async count(sub: string): Promise<number> {
    try {
      return await this.#redis.zcard(this.#keys.subject(sub))
    } catch (error) {
      throw storeUnavailable(error)
    }
  }

  async sids(sub: string): Promise<Sid[]> {
    try {
      return (await this.#redis.zrange(this.#keys.subject(sub), '0', '-1')) as Sid[]
    } catch (error) {
      throw storeUnavailable(error)
    }
  }

  async indexed(sub: string, now: UnixMs, count: number, after?: IndexPlace): Promise<IndexedSession[]> {
    try {
      const places = await this.#places(sub, now, count, after)
      const found: IndexedSession[] = []
      for (let i = 0; i < places.length; i += BATCH) {
        found.push(...(await Promise.all(places.slice(i, i + BATCH).map((place) => this.#read(place)))))
      }
      return found
    } catch (error) {
      throw storeUnavailable(error)
    }
  }

  async unindex(sub: string, sids: readonly Sid[]): Promise<void> {
    if (sids.length === 0) return
    try {
      await this.#redis.zrem(this.#keys.subject(sub), ...sids)
    } catch (error) {
      throw storeUnavailable(error)
    }
  }

  /** Returns the next ids of an index. Redis orders ids with equal ends by their bytes. */
  async #places(sub: string, now: UnixMs, count: number, after?: IndexPlace): Promise<IndexPlace[]> {
    const index = this.#keys.subject(sub)
    if (!after) await this.#scripts.pruneIndex(index, now, INDEX_SLACK)
    const from = after ? String(after.latestEnd) : '-inf'
    const places: IndexPlace[] = []
    for (let offset = 0; places.length < count; offset += count) {
      const page = await this.#redis.zrange(
        index,
        from,
        '+inf',
        'BYSCORE',
        'LIMIT',
        offset,
        count,
        'WITHSCORES',
      )
      for (let i = 0; i < page.length; i += 2) {
        const place = { sid: page[i] as Sid, latestEnd: Number(page[i + 1]) }
        const isSeen = after && place.latestEnd === after.latestEnd && place.sid <= after.sid
        if (!isSeen) places.push(place)
      }
      if (page.length < 2 * count) break
    }
    return places.slice(0, count)
  }

  async #read(place: IndexPlace): Promise<IndexedSession> {
    const [ended, ...fields] = await this.#redis.hmget(
      this.#keys.session(place.sid),
      'ended',
      ...SESSION_FIELDS,
    )
    if (typeof ended === 'string') return { ...place, state: 'ended', session: undefined }
    const session = toSession(place.sid, fields)
    return { ...place, state: session ? 'stored' : 'missing', session }
  }

  async #index(session: Session, now: UnixMs): Promise<void> {
    const end = latestEnd(session)
    await this.#run('indexSession', this.#keys.subject(session.sub), [
      session.sid,
      end,
      now,
      INDEX_SLACK,
      end - now + INDEX_SLACK,
    ])
  }

  async cutoff(): Promise<UnixMs | undefined> {
    try {
      const cutoff = await this.#redis.get(this.#keys.cutoff)
      return cutoff === null ? undefined : Number(cutoff)
    } catch (error) {
      throw storeUnavailable(error)
    }
  }

  async #run(script: keyof RedisScripts, key: string, args: (string | number)[]): Promise<unknown> {
    try {
      return await this.#scripts[script](key, ...args)
    } catch (error) {
      throw storeUnavailable(error)
    }
  }
}
