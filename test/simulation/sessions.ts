/**
 * Session records and the index of each subject, as the scripts of `src/store/session-scripts.ts` keep them. The data are
 * immutable. A script returns the data that it leaves and its reply.
 */
import type { Milliseconds, UnixMs } from '../../src/clock.js'
import { computeExpiry } from '../../src/session/session.js'
import type { EndReason, Session, Sid } from '../../src/session/session.js'
import { latestEnd } from '../../src/store/session-store.js'
import type {
  EndOutcome,
  EndRequest,
  PreviousWrite,
  IndexedSession,
  RotationRequest,
  RotationOutcome,
} from '../../src/store/session-store.js'

const DAY: Milliseconds = 86_400_000

export function newSession({
  sid,
  sub,
  jtiPrefix,
  at,
}: Record<'sid' | 'sub' | 'jtiPrefix', string> & { at: UnixMs }): Session {
  return {
    sid: sid as Sid,
    sub,
    jtiPrefix,
    loginJtiPrefix: jtiPrefix,
    clientId: 'client',
    scope: undefined,
    claims: {},
    createdAt: at,
    lastSeenAt: at,
    endsAt: at + DAY,
    expiresAt: at + DAY,
    refreshCount: 0,
  }
}

interface LivingRecord {
  readonly kind: 'living'
  readonly session: Session
  readonly familyHash: string
  readonly currentHash: string
  readonly previousHash: string
  readonly salt: string
  readonly rotatedAt: UnixMs
  readonly former: PreviousWrite
}

interface Tombstone {
  readonly kind: 'tombstone'
  readonly sub: string
  /** `undefined` if there was no record. */
  readonly familyHash: string | undefined
  readonly reason: EndReason
  readonly forgetAt: UnixMs
}

export type SessionRecord = LivingRecord | Tombstone

export interface SessionData {
  readonly records: ReadonlyMap<string, SessionRecord>
  /** The latest end of each session, by subject and id. */
  readonly index: ReadonlyMap<string, ReadonlyMap<string, UnixMs>>
}

export const NO_SESSIONS: SessionData = { records: new Map(), index: new Map() }

/** A command on the session data. `time` is that of Redis. */
export type SessionScript<T> = (data: SessionData, time: UnixMs) => readonly [SessionData, T]

export function readRecord({ records }: SessionData, sid: string, time: UnixMs): SessionRecord | undefined {
  const record = records.get(sid)
  return record?.kind === 'tombstone' && record.forgetAt <= time ? undefined : record
}

export function put(data: SessionData, sid: string, record: SessionRecord): SessionData {
  return { ...data, records: new Map(data.records).set(sid, record) }
}

export function enterIndex(session: Session): SessionScript<true> {
  return (data) => {
    const { sid, sub } = session
    const ids = new Map(data.index.get(sub))
    ids.set(sid, Math.max(latestEnd(session), ids.get(sid) ?? 0))
    return [{ ...data, index: new Map(data.index).set(sub, ids) }, true]
  }
}

export function leaveIndex(sub: string, sids: readonly string[]): SessionScript<true> {
  return (data) => {
    const ids = new Map(data.index.get(sub))
    for (const sid of sids) ids.delete(sid)
    return [{ ...data, index: new Map(data.index).set(sub, ids) }, true]
  }
}

/** The reply says whether the session was stored: not if there is a record, or a tombstone. */
export function createRecord(
  session: Session,
  { familyHash = '', secretHash = '' } = {},
): SessionScript<boolean> {
  return (data, time) => {
    if (readRecord(data, session.sid, time)) return [data, false]
    const blank = { previousHash: '', salt: '', rotatedAt: 0, former: { jtiPrefix: '', at: 0 } }
    return [
      put(data, session.sid, { kind: 'living', session, familyHash, currentHash: secretHash, ...blank }),
      true,
    ]
  }
}

/** Writes that the session was used, if it is alive. */
export function touchRecord(
  sid: string,
  { jtiPrefix, at }: { jtiPrefix: string; at: UnixMs },
): SessionScript<true> {
  return (data, time) => {
    const record = readRecord(data, sid, time)
    if (record?.kind !== 'living') return [data, true]
    return [put(data, sid, { ...record, session: { ...record.session, jtiPrefix, lastSeenAt: at } }), true]
  }
}

/** Limits in time and number aren't simulated. */
export function rotateRecord(rotation: RotationRequest): SessionScript<RotationOutcome> {
  return (data, time) => {
    const { sid, familyHash, secretHash, now } = rotation
    const record = readRecord(data, sid, time)
    if (!record) return [data, { kind: 'unknown' }]
    if (record.familyHash !== undefined && record.familyHash !== familyHash) return [data, { kind: 'forged' }]
    if (record.kind === 'tombstone') {
      const endedAt = record.forgetAt - rotation.tombstone
      return [data, { kind: 'ended', sub: record.sub, reason: record.reason, endedAt }]
    }
    const { session, former, salt } = record
    if (secretHash === record.previousHash && now < record.rotatedAt + rotation.reuseGrace)
      return [data, { kind: 'retried', session, former, salt }]
    if (secretHash !== record.currentHash)
      return [
        bury(data, sid, record, 'reuse', time + rotation.tombstone),
        { kind: 'reused', sub: session.sub },
      ]
    const rotated: LivingRecord = {
      ...record,
      previousHash: secretHash,
      currentHash: rotation.successorHash,
      salt: rotation.salt,
      rotatedAt: now,
      former: { jtiPrefix: session.jtiPrefix, at: session.lastSeenAt },
      session: {
        ...session,
        lastSeenAt: now,
        jtiPrefix: rotation.jtiPrefix,
        expiresAt: computeExpiry(now, rotation.idle, session.endsAt),
        refreshCount: session.refreshCount + 1,
      },
    }
    return [put(data, sid, rotated), { kind: 'rotated', session: rotated.session, former: rotated.former }]
  }
}

export function endRecord(ending: EndRequest): SessionScript<EndOutcome> {
  return (data, time) => {
    const { sid, reason, familyHash, sub, indexedFor, isProven } = ending
    const forgetAt = time + ending.tombstone
    const record = readRecord(data, sid, time)
    if (!record) {
      const unknown = { kind: 'unknown' } as const
      if (indexedFor === undefined && !isProven) return [data, unknown]
      const tombstone = { sub: indexedFor ?? '', familyHash: undefined, reason, forgetAt }
      return [put(data, sid, { kind: 'tombstone', ...tombstone }), unknown]
    }
    const owner = record.kind === 'living' ? record.session.sub : record.sub
    const isOfOther =
      familyHash !== undefined && record.familyHash !== undefined && familyHash !== record.familyHash
    if (isOfOther || (sub !== undefined && sub !== owner)) return [data, { kind: 'foreign' }]
    if (record.kind === 'tombstone')
      return [data, { kind: 'already_ended', sub: owner, endedAt: record.forgetAt - ending.tombstone }]
    return [bury(data, sid, record, reason, forgetAt), { kind: 'ended', sub: owner }]
  }
}

function bury(
  data: SessionData,
  sid: string,
  { session, familyHash }: LivingRecord,
  reason: EndReason,
  forgetAt: UnixMs,
): SessionData {
  return put(data, sid, { kind: 'tombstone', sub: session.sub, familyHash, reason, forgetAt })
}

/** How long a tombstone stays: as long as a token of its session can be accepted. */
export function tombstoneLife({
  horizon,
  leeway,
}: {
  horizon: Milliseconds
  leeway: Milliseconds
}): Milliseconds {
  return horizon + leeway + 3_000
}

export function listIndex(data: SessionData, sub: string, time: UnixMs): IndexedSession[] {
  const places = [...(data.index.get(sub) ?? [])].toSorted((a, b) => a[1] - b[1])
  return places.map(([sid, end]) => {
    const record = readRecord(data, sid, time)
    const place = { sid: sid as Sid, latestEnd: end }
    if (!record) return { ...place, state: 'missing', session: undefined }
    if (record.kind === 'tombstone') return { ...place, state: 'ended', session: undefined }
    return { ...place, state: 'stored', session: record.session }
  })
}
