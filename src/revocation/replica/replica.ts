import type { UnixMs } from '../../clock.js'
import { EVICTED, hasBefore, JTI_PREFIX_LENGTH } from '../entry.js'
import type { EntryKind, DenylistEntry } from '../entry.js'
import { ExpiringMap } from './expiring-map.js'
import type { Walk } from './expiring-map.js'
import type { CoveringKind, RevocableToken } from '../denylist.js'

/**
 * The denylist in memory. For each kind and id it keeps the largest `before` and the largest `until` of all entries, so
 * no entry can shorten another.
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
  /** The `before` of entries of these kinds. */
  readonly #before = {
    sub: new Map<string, UnixMs>(),
    all: new Map<string, UnixMs>(),
    lost: new Map<string, UnixMs>(),
  }
  /** The ids of `sid` entries with the `before` `EVICTED`, until the same time as in `#until`. */
  readonly #evicted = new ExpiringMap()
  /** The jti prefixes with which the ids of `lost` entries begin. There is one per epoch that has such entries. */
  readonly #lostPrefixes = new Set<string>()

  /** The number of entries. */
  get size(): number {
    let size = 0
    for (const map of Object.values(this.#until)) size += map.size
    return size
  }

  /** Adds an entry, or extends the existing one with the same kind and id. */
  apply({ kind, id, before, until }: DenylistEntry): void {
    this.#until[kind].lengthen(id, Math.ceil(until / 1000))
    if (kind === 'lost') this.#lostPrefixes.add(id.slice(0, JTI_PREFIX_LENGTH))
    if (kind === 'sid' && (before === EVICTED || this.#evicted.get(id) !== undefined))
      this.#evicted.lengthen(id, this.#until.sid.get(id)!)
    if (!hasBefore(kind)) return
    if (before > this.#getBefore(kind, id)) this.#before[kind].set(id, before)
  }

  /** Returns true if this replica already covers all tokens that the entry covers. */
  covers({ kind, id, before, until }: DenylistEntry): boolean {
    if (Math.ceil(until / 1000) > (this.#until[kind].get(id) ?? 0)) return false
    return before <= this.#getBefore(kind, id)
  }

  #getBefore(kind: EntryKind, id: string): UnixMs {
    if (kind === 'sid') return this.#evicted.get(id) === undefined ? 0 : EVICTED
    return hasBefore(kind) ? (this.#before[kind].get(id) ?? 0) : 0
  }

  /** Returns the kind of an entry that covers the token and is in force at `now`, or `undefined`. */
  findKind({ jti, sid, sub, kid, iat }: RevocableToken, now: UnixMs): CoveringKind | undefined {
    const second = now / 1000
    const until = this.#until
    if (isInForce(until.sid, sid, second)) return this.#evicted.get(sid) === undefined ? 'sid' : 'evicted'
    if (isInForce(until.jti, jti, second)) return 'jti'
    if (isInForce(until.kid, kid, second)) return 'kid'
    const issued = iat * 1000
    if (isInForce(until.sub, sub, second) && issued <= this.#before.sub.get(sub)!) return 'sub'
    if (isInForce(until.all, '*', second) && issued <= this.#before.all.get('*')!) return 'all'
    if (until.lost.size > 0 && this.#isLost(jti, sub, issued, second)) return 'lost'
    return undefined
  }

  /** Returns true if a `lost` entry covers the token. It doesn't cover tokens with its own jti prefix. */
  #isLost(jti: string, sub: string, issued: UnixMs, second: number): boolean {
    for (const jtiPrefix of this.#lostPrefixes) {
      const id = jtiPrefix + sub
      if (
        isInForce(this.#until.lost, id, second) &&
        issued <= this.#before.lost.get(id)! &&
        !jti.startsWith(jtiPrefix)
      )
        return true
    }
    return false
  }

  /** Removes expired entries. */
  expire(now: UnixMs): void {
    const second = Math.floor(now / 1000)
    for (const kind of Object.keys(this.#until) as EntryKind[]) {
      const gone = this.#until[kind].expire(second)
      if (hasBefore(kind)) for (const id of gone) this.#before[kind].delete(id)
    }
    this.#evicted.expire(second)
    if (this.#until.lost.size === 0) this.#lostPrefixes.clear()
  }

  /** Iterates over all entries. Entries may be added and deleted during the iteration. */
  *entries(walk?: Walk): Generator<DenylistEntry> {
    for (const kind of Object.keys(this.#until) as EntryKind[]) {
      for (const [id, second] of this.#until[kind].entries(walk)) {
        yield { kind, id, before: this.#getBefore(kind, id), until: second * 1000 }
      }
    }
  }

  /** Removes an entry that another replica already has. */
  delete({ kind, id }: DenylistEntry): void {
    this.#until[kind].delete(id)
    if (kind === 'sid') this.#evicted.delete(id)
    if (hasBefore(kind)) this.#before[kind].delete(id)
  }
}

/** Returns true if the id has an entry in force. Most kinds have no entries at all, so this case is checked first. */
function isInForce(entries: ExpiringMap, id: string, second: number): boolean {
  if (entries.size === 0) return false
  const until = entries.get(id)
  return until !== undefined && second < until
}
