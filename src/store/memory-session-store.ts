import type { Clock, Milliseconds, UnixMs } from '../clock.js'
import type { EndReason, Session, Sid } from '../session/session.js'
import { computeExpiry } from '../session/session.js'
import { storeUnavailable } from '../errors.js'
import type {
  Cutoff,
  EndOutcome,
  EndRequest,
  PreviousWrite,
  IndexedSession,
  IndexPlace,
  RotationRequest,
  RotationOutcome,
  SessionSecrets,
  SessionStore,
} from './session-store.js'
import { EXPIRY_SLACK, INDEX_SLACK, latestEnd } from './session-store.js'

interface LiveRecord {
  readonly kind: 'living'
  session: Session
  readonly familyHash: string
  currentHash: string
  previousHash: string | undefined
  salt: string
  rotatedAt: UnixMs
  former: PreviousWrite
}

interface Tombstone {
  readonly kind: 'tombstone'
  readonly sub: string
  /** `undefined` if the session had no record when it was ended. */
  readonly familyHash: string | undefined
  readonly reason: EndReason
  readonly forgetAt: UnixMs
}

/** The least number of new sessions between two sweeps, which remove expired records. */
const SWEEP_EVERY = 1_000

/**
 * The session store of the embedded mode, which serves one process. All sessions are lost when the process ends. Every
 * method is atomic because none contains an `await`.
 */
export class MemorySessionStore implements SessionStore {
  readonly #records = new Map<Sid, LiveRecord | Tombstone>()
  /** For each subject, the ids of its sessions with their latest ends. */
  readonly #index = new Map<string, Map<Sid, UnixMs>>()
  readonly #steady: Clock
  #untilSweep = SWEEP_EVERY
  #cutoff: UnixMs | undefined
  /** Revoked access tokens by `jti`, each with the time at which it is forgotten. */
  readonly #revokedTokens = new Map<string, UnixMs>()

  /**
   * @param steady A clock that never jumps. Records expire only when it agrees, so that a wall clock that is ahead for
   *   a moment can't remove any.
   */
  constructor(steady: Clock = { now: () => Number.POSITIVE_INFINITY }) {
    this.#steady = steady
  }

  async create(session: Session, { familyHash, secretHash }: SessionSecrets): Promise<void> {
    this.#sweep(session.createdAt)
    if (this.#read(session.sid, session.createdAt))
      throw storeUnavailable(`session ${session.sid} already has a record or a tombstone`)
    this.#addToIndex(session)
    this.#records.set(session.sid, {
      kind: 'living',
      session: { ...session, claims: copy(session.claims) },
      familyHash,
      currentHash: secretHash,
      previousHash: undefined,
      salt: '',
      rotatedAt: 0,
      former: { jtiPrefix: '', at: 0 },
    })
  }

  async read(sid: Sid): Promise<Session | undefined> {
    const record = this.#records.get(sid)
    return record?.kind === 'living' ? record.session : undefined
  }

  async readCurrent(sid: Sid, { familyHash, secretHash }: SessionSecrets): Promise<Session | undefined> {
    const record = this.#records.get(sid)
    const isCurrent =
      record?.kind === 'living' && record.familyHash === familyHash && record.currentHash === secretHash
    return isCurrent ? record.session : undefined
  }

  async rotate(rotation: RotationRequest): Promise<RotationOutcome> {
    const { sid, now, secretHash, identity } = rotation
    const record = this.#read(sid, now)
    if (!record) return { kind: 'unknown' }
    if (record.familyHash !== undefined && record.familyHash !== rotation.familyHash)
      return { kind: 'forged' }
    if (record.kind === 'tombstone') {
      const endedAt = record.forgetAt - rotation.tombstone
      return { kind: 'ended', sub: record.sub, reason: record.reason, endedAt }
    }
    const { session } = record
    if (now >= session.expiresAt) return { kind: 'expired' }
    if (secretHash === record.previousHash && now < record.rotatedAt + rotation.reuseGrace) {
      return { kind: 'retried', salt: record.salt, session, former: record.former, cutoff: this.#cutoff }
    }
    if (secretHash !== record.currentHash) {
      this.#writeTombstone(sid, session.sub, record.familyHash, 'reuse', now + rotation.tombstone)
      return { kind: 'reused', sub: session.sub }
    }
    if (rotation.refreshLimit > 0 && session.refreshCount >= rotation.refreshLimit) {
      return { kind: 'limit_reached' }
    }
    record.previousHash = secretHash
    record.currentHash = rotation.successorHash
    record.salt = rotation.salt
    record.rotatedAt = now
    record.former = { jtiPrefix: session.jtiPrefix, at: session.lastSeenAt }
    record.session = {
      ...session,
      lastSeenAt: now,
      jtiPrefix: rotation.jtiPrefix,
      rotatedIssuedAt: rotation.issuedAt,
      expiresAt: computeExpiry(now, session.idle ?? rotation.idle, session.endsAt),
      ...(identity && { scope: identity.scope, claims: copy(identity.claims) }),
      refreshCount: session.refreshCount + 1,
    }
    this.#addToIndex(record.session)
    return {
      kind: 'rotated',
      session: record.session,
      former: record.former,
      cutoff: this.#cutoff,
    }
  }

  async recordRevokedToken(jti: string, now: UnixMs, ttl: Milliseconds): Promise<void> {
    this.#revokedTokens.set(jti, now + ttl)
  }

  async isRecordedAsRevoked(jti: string, now: UnixMs): Promise<boolean> {
    return (this.#revokedTokens.get(jti) ?? 0) > this.#earliest(now)
  }

  async cutoff(): Promise<UnixMs | undefined> {
    return this.#cutoff
  }

  async setCutoff({ before, now }: Cutoff): Promise<void> {
    this.#cutoff = Math.max(before ?? now, this.#cutoff ?? 0)
  }

  async end(ending: EndRequest): Promise<EndOutcome> {
    const { sid, reason, familyHash, sub, indexedFor, isProven, tombstone, now } = ending
    const record = this.#read(sid, now)
    if (!record) {
      if (indexedFor !== undefined || isProven)
        this.#writeTombstone(sid, indexedFor ?? '', undefined, reason, now + tombstone)
      return { kind: 'unknown' }
    }
    const owner = record.kind === 'living' ? record.session.sub : record.sub
    const isOther = familyHash !== record.familyHash && record.familyHash !== undefined
    if (familyHash !== undefined && isOther) return { kind: 'foreign' }
    if (sub !== undefined && sub !== owner) return { kind: 'foreign' }
    if (record.kind === 'tombstone')
      return { kind: 'already_ended', sub: owner, endedAt: record.forgetAt - tombstone }
    this.#writeTombstone(sid, owner, record.familyHash, reason, now + tombstone)
    return { kind: 'ended', sub: owner }
  }

  async count(sub: string): Promise<number> {
    return this.#index.get(sub)?.size ?? 0
  }

  async sids(sub: string): Promise<Sid[]> {
    return [...(this.#index.get(sub)?.keys() ?? [])]
  }

  async indexed(sub: string, now: UnixMs, count: number, after?: IndexPlace): Promise<IndexedSession[]> {
    this.#prune(sub, now)
    const places = [...(this.#index.get(sub) ?? [])].map(([sid, end]) => ({ sid, latestEnd: end }))
    const rest = after ? places.filter((place) => compare(place, after) > 0) : places
    return rest
      .toSorted(compare)
      .slice(0, count)
      .map((place) => {
        const record = this.#read(place.sid, now)
        if (!record) return { ...place, state: 'missing', session: undefined }
        if (record.kind === 'tombstone') return { ...place, state: 'ended', session: undefined }
        return { ...place, state: 'stored', session: record.session }
      })
  }

  async unindex(sub: string, sids: readonly Sid[]): Promise<void> {
    const index = this.#index.get(sub)
    if (!index) return
    for (const sid of sids) index.delete(sid)
    if (index.size === 0) this.#index.delete(sub)
  }

  #read(sid: Sid, now: UnixMs): LiveRecord | Tombstone | undefined {
    const record = this.#records.get(sid)
    if (!record || this.#earliest(now) < forgetAt(record)) return record
    this.#records.delete(sid)
    return undefined
  }

  #writeTombstone(
    sid: Sid,
    sub: string,
    familyHash: string | undefined,
    reason: EndReason,
    until: UnixMs,
  ): void {
    this.#records.set(sid, { kind: 'tombstone', sub, familyHash, reason, forgetAt: until })
  }

  /** Adds a session to its subject's index, or updates its latest end. The latest end never becomes earlier. */
  #addToIndex(session: Session): void {
    let index = this.#index.get(session.sub)
    if (!index) this.#index.set(session.sub, (index = new Map()))
    index.set(session.sid, Math.max(latestEnd(session), index.get(session.sid) ?? 0))
  }

  /** Removes the ids from a subject's index whose access tokens have all expired. */
  #prune(sub: string, now: UnixMs): void {
    const index = this.#index.get(sub)
    if (!index) return
    const by = this.#earliest(now)
    for (const [sid, end] of index) if (end + INDEX_SLACK < by) index.delete(sid)
    if (index.size === 0) this.#index.delete(sub)
  }

  /** Returns the earlier of the caller's time and the time of the steady clock. */
  #earliest(now: UnixMs): UnixMs {
    return Math.min(now, this.#steady.now())
  }

  #sweep(now: UnixMs): void {
    if (--this.#untilSweep > 0) return
    this.#untilSweep = Math.max(SWEEP_EVERY, this.#records.size)
    const by = this.#earliest(now)
    for (const [sid, record] of this.#records) if (by >= forgetAt(record)) this.#records.delete(sid)
    for (const sub of this.#index.keys()) this.#prune(sub, now)
    for (const [jti, until] of this.#revokedTokens) if (by >= until) this.#revokedTokens.delete(jti)
  }
}

/** Copies claims through JSON, as the Redis store does, because the host application may change its object later. */
function copy(claims: Session['claims']): Session['claims'] {
  return JSON.parse(JSON.stringify(claims)) as Session['claims']
}

function compare(a: IndexPlace, b: IndexPlace): number {
  return a.latestEnd - b.latestEnd || (a.sid < b.sid ? -1 : Number(a.sid > b.sid))
}

function forgetAt(record: LiveRecord | Tombstone): UnixMs {
  return record.kind === 'living' ? record.session.expiresAt + EXPIRY_SLACK : record.forgetAt
}
