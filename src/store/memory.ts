import type { UnixMs } from '../clock.js'
import type { EndReason, Session, Sid } from '../session/session.js'
import { expiryOf } from '../session/session.js'
import type {
  EndOutcome,
  Ending,
  Former,
  Rotation,
  RotationOutcome,
  SessionSecrets,
  SessionStore,
} from './port.js'
import { EXPIRY_SLACK } from './port.js'

interface Living {
  readonly kind: 'living'
  session: Session
  readonly familyHash: string
  currentHash: string
  previousHash: string | undefined
  salt: string
  rotatedAt: UnixMs
  former: Former
}

interface Tombstone {
  readonly kind: 'tombstone'
  readonly sub: string
  readonly familyHash: string
  readonly reason: EndReason
  readonly forgetAt: UnixMs
}

/** How many new sessions come between two sweeps of what has expired. */
const SWEEP_EVERY = 1_000

/**
 * The session store of the embedded mode: one process, nothing survives it. Each method runs without an await in it,
 * which is what makes it atomic.
 */
export class MemorySessionStore implements SessionStore {
  readonly #records = new Map<Sid, Living | Tombstone>()
  readonly #index = new Map<string, Set<Sid>>()
  #untilSweep = SWEEP_EVERY

  async create(session: Session, { familyHash, secretHash }: SessionSecrets): Promise<void> {
    this.#sweep(session.createdAt)
    let sids = this.#index.get(session.sub)
    if (!sids) this.#index.set(session.sub, (sids = new Set()))
    sids.add(session.sid)
    this.#records.set(session.sid, {
      kind: 'living',
      // A copy, as JSON, like that of the store in Redis: the host may change its object later.
      session: {
        ...session,
        claims: JSON.parse(JSON.stringify(session.claims)) as Session['claims'],
      },
      familyHash,
      currentHash: secretHash,
      previousHash: undefined,
      salt: '',
      rotatedAt: 0,
      former: { mark: '', at: 0 },
    })
  }

  async rotate(rotation: Rotation): Promise<RotationOutcome> {
    const { sid, now, secretHash } = rotation
    const record = this.#read(sid, now)
    if (!record) return { kind: 'unknown' }
    if (record.familyHash !== rotation.familyHash) return { kind: 'forged' }
    if (record.kind === 'tombstone') return { kind: 'ended', sub: record.sub, reason: record.reason }
    const { session } = record
    if (now >= session.expiresAt) return { kind: 'expired' }
    if (secretHash === record.previousHash && now < record.rotatedAt + rotation.reuseGrace) {
      return { kind: 'retried', salt: record.salt, session, former: record.former }
    }
    if (secretHash !== record.currentHash) {
      this.#bury(record, 'reuse', now + rotation.tombstone)
      return { kind: 'reused', sub: session.sub }
    }
    if (rotation.refreshLimit > 0 && session.refreshCount >= rotation.refreshLimit) {
      return { kind: 'limit_reached' }
    }
    record.previousHash = secretHash
    record.currentHash = rotation.successorHash
    record.salt = rotation.salt
    record.rotatedAt = now
    record.former = { mark: session.mark, at: session.lastSeenAt }
    record.session = {
      ...session,
      lastSeenAt: now,
      mark: rotation.mark,
      expiresAt: expiryOf(now, rotation.idle, session.endsAt),
      refreshCount: session.refreshCount + 1,
    }
    return {
      kind: 'rotated',
      session: record.session,
      former: record.former,
    }
  }

  async end({ sid, reason, familyHash, sub, tombstone, now }: Ending): Promise<EndOutcome> {
    const record = this.#read(sid, now)
    if (!record) return { kind: 'unknown' }
    const owner = record.kind === 'living' ? record.session.sub : record.sub
    if (familyHash !== undefined && familyHash !== record.familyHash) return { kind: 'foreign' }
    if (sub !== undefined && sub !== owner) return { kind: 'foreign' }
    if (record.kind === 'tombstone') return { kind: 'already_ended', sub: owner }
    this.#bury(record, reason, now + tombstone)
    return { kind: 'ended', sub: owner }
  }

  async list(sub: string, now: UnixMs): Promise<Session[]> {
    const sessions: Session[] = []
    for (const sid of this.#index.get(sub) ?? []) {
      const record = this.#read(sid, now)
      if (record?.kind === 'living' && record.session.expiresAt > now) sessions.push(record.session)
    }
    return sessions.toSorted((a, b) => a.createdAt - b.createdAt || (a.sid < b.sid ? -1 : 1))
  }

  #read(sid: Sid, now: UnixMs): Living | Tombstone | undefined {
    const record = this.#records.get(sid)
    if (!record || now < forgetAt(record)) return record
    this.#forget(sid, record)
    return undefined
  }

  #bury({ session, familyHash }: Living, reason: EndReason, until: UnixMs): void {
    this.#unindex(session.sub, session.sid)
    const { sub } = session
    this.#records.set(session.sid, {
      kind: 'tombstone',
      sub,
      familyHash,
      reason,
      forgetAt: until,
    })
  }

  #forget(sid: Sid, record: Living | Tombstone): void {
    this.#records.delete(sid)
    if (record.kind === 'living') this.#unindex(record.session.sub, sid)
  }

  #unindex(sub: string, sid: Sid): void {
    const sids = this.#index.get(sub)
    if (sids?.delete(sid) && sids.size === 0) this.#index.delete(sub)
  }

  #sweep(now: UnixMs): void {
    if (--this.#untilSweep > 0) return
    this.#untilSweep = Math.max(SWEEP_EVERY, this.#records.size)
    for (const [sid, record] of this.#records) if (now >= forgetAt(record)) this.#forget(sid, record)
  }
}

function forgetAt(record: Living | Tombstone): UnixMs {
  return record.kind === 'living' ? record.session.expiresAt + EXPIRY_SLACK : record.forgetAt
}
