import type { UnixMs } from '../../clock.js'
import { hasBefore, MARK_LENGTH } from '../entry.js'
import type { EntryKind, DenylistEntry } from '../entry.js'
import { ExpiringMap } from './expiring-map.js'
import type { Walk } from './expiring-map.js'
import type { RevocableToken } from '../denylist.js'

/**
 * The denylist in memory: for each target the larger `before` and the larger `until` of all its entries, so that
 * nothing ever shortens a denial. Entries leave it only by expiring.
 */
export class Replica {
  readonly #until: Readonly<Record<EntryKind, ExpiringMap>> = {
    jti: new ExpiringMap(),
    sid: new ExpiringMap(),
    sub: new ExpiringMap(),
    all: new ExpiringMap(),
    kid: new ExpiringMap(),
    lost: new ExpiringMap(),
  }
  /** Of `sub`, `all` and `lost` entries. */
  readonly #before = {
    sub: new Map<string, UnixMs>(),
    all: new Map<string, UnixMs>(),
    lost: new Map<string, UnixMs>(),
  }
  /** Of `lost` entries: one for each epoch of the last token life in which somebody logged out everywhere. */
  readonly #lostMarks = new Set<string>()

  get size(): number {
    let size = 0
    for (const map of Object.values(this.#until)) size += map.size
    return size
  }

  apply({ kind, id, before, until }: DenylistEntry): void {
    this.#until[kind].lengthen(id, Math.ceil(until / 1000))
    if (kind === 'lost') this.#lostMarks.add(id.slice(0, MARK_LENGTH))
    if (!hasBefore(kind)) return
    const former = this.#before[kind].get(id) ?? 0
    if (before > former) this.#before[kind].set(id, before)
  }

  /** Whether it denies at least what the entry does. */
  covers({ kind, id, before, until }: DenylistEntry): boolean {
    if (Math.ceil(until / 1000) > (this.#until[kind].get(id) ?? 0)) return false
    return !hasBefore(kind) || before <= (this.#before[kind].get(id) ?? 0)
  }

  /** Which kind of entry denies the token. */
  denial({ jti, sid, sub, kid, iat }: RevocableToken, now: UnixMs): EntryKind | undefined {
    const second = now / 1000
    const until = this.#until
    if (lives(until.sid, sid, second)) return 'sid'
    if (lives(until.jti, jti, second)) return 'jti'
    if (lives(until.kid, kid, second)) return 'kid'
    const issued = iat * 1000
    if (lives(until.sub, sub, second) && issued <= this.#before.sub.get(sub)!) return 'sub'
    if (lives(until.all, '*', second) && issued <= this.#before.all.get('*')!) return 'all'
    if (until.lost.size > 0 && this.#isOfLostSession(jti, sub, issued, second)) return 'lost'
    return undefined
  }

  /** What was minted in the epoch itself bears its mark: its session isn't lost. */
  #isOfLostSession(jti: string, sub: string, issued: UnixMs, second: number): boolean {
    for (const mark of this.#lostMarks) {
      const id = mark + sub
      if (
        lives(this.#until.lost, id, second) &&
        issued <= this.#before.lost.get(id)! &&
        !jti.startsWith(mark)
      )
        return true
    }
    return false
  }

  /** Forgets what has expired. */
  expire(now: UnixMs): void {
    const second = Math.floor(now / 1000)
    for (const kind of Object.keys(this.#until) as EntryKind[]) {
      const gone = this.#until[kind].expire(second)
      if (hasBefore(kind)) for (const id of gone) this.#before[kind].delete(id)
    }
    if (this.#until.lost.size === 0) this.#lostMarks.clear()
  }

  /** Every entry. It may be deleted from, and added to, while it is walked through. */
  *entries(walk?: Walk): Generator<DenylistEntry> {
    for (const kind of Object.keys(this.#until) as EntryKind[]) {
      for (const [id, second] of this.#until[kind].entries(walk)) {
        const before = hasBefore(kind) ? (this.#before[kind].get(id) ?? 0) : 0
        yield { kind, id, before, until: second * 1000 }
      }
    }
  }

  /** For an entry that another replica holds. */
  delete({ kind, id }: DenylistEntry): void {
    this.#until[kind].delete(id)
    if (hasBefore(kind)) this.#before[kind].delete(id)
  }
}

/** Mostly there is no entry of a kind at all: then nothing is looked up. */
function lives(entries: ExpiringMap, id: string, second: number): boolean {
  if (entries.size === 0) return false
  const until = entries.get(id)
  return until !== undefined && second < until
}
