import type { Milliseconds, UnixMs, UnixSeconds } from '../../src/clock.js'
import { EVICTED, JTI_PREFIX_LENGTH } from '../../src/revocation/entry.js'
import type { EntryKind, DenylistEntry } from '../../src/revocation/entry.js'
import type { Decision } from '../../src/revocation/replica/instance.js'
import type { NewEntry } from '../../src/revocation/entry.js'
import type { RevocableToken } from '../../src/revocation/denylist.js'

export interface Token extends RevocableToken {
  readonly exp: UnixSeconds
}

/** One call of `revoke`, from its beginning. */
export interface Revocation {
  readonly origin: string
  readonly entries: readonly NewEntry[]
  readonly startedAt: Milliseconds
  /** What its last run of the script stored. */
  stored: readonly DenylistEntry[]
  /** When it returned success, on the true clock. */
  returnedAt?: Milliseconds
  by?: 'acknowledgement' | 'lapse'
  hasFailed?: boolean
  /** Its holders were all kept away after a loss of data: nothing is promised. */
  isExempt?: boolean
}

export type ViolationKind = 'admitted' | 'denied' | 'renamed' | 'stuck' | 'grown' | 'revived'

/**
 * Something that must hold doesn't: what is revoked was admitted, what isn't was denied, what was evicted was denied as if
 * it had been logged out, nothing moves, or the log holds
 * more than it should, or an ended session gives new tokens.
 */
export class Violation extends Error {
  readonly kind: ViolationKind

  constructor(kind: Violation['kind'], message: string) {
    super(message)
    this.kind = kind
  }
}

/** What must hold at every step: nothing revoked is admitted, and nothing is denied that isn't revoked. */
export class Checker {
  readonly revocations: Revocation[] = []
  readonly tokens: Token[] = []
  /** Tokens that a revoke which has returned covers. */
  readonly condemned: Token[] = []
  readonly counts = {
    admitted: 0,
    denied: 0,
    evicted: 0,
    history: 0,
    unleased: 0,
    minted: 0,
    returned: 0,
    ended: 0,
    refreshed: 0,
    everywhere: 0,
    failedEnds: 0,
    lapsed: 0,
    exempt: 0,
  }
  readonly #returned = new Map<string, DenylistEntry[]>()
  readonly #returnedLost: DenylistEntry[] = []
  /** Sessions that an end covers which has returned success, what it was, and when. */
  readonly #ended = new Map<string, { readonly by: string; readonly at: Milliseconds }>()
  /** The largest `before` that any script stored. */
  readonly #attempted = new Map<string, UnixMs>()
  /** The largest `since` that an epoch was born with. */
  since = 0

  minted(token: Token): void {
    this.counts.minted += 1
    this.tokens.push(token)
    if (this.#covering(token) || this.#ended.has(token.sid)) this.condemned.push(token)
  }

  /** An end, or "everywhere", has returned success: what was known of these sessions when it was called is over. */
  ended(sids: Iterable<string>, by: string, at: Milliseconds): void {
    this.counts.ended += 1
    for (const sid of sids) {
      if (this.#ended.has(sid)) continue
      this.#ended.set(sid, { by, at })
      this.condemned.push(...this.tokens.filter((token) => token.sid === sid))
    }
  }

  /** A refresh that began then was given a token. */
  refreshed(sid: string, beganAt: Milliseconds): void {
    const end = this.#ended.get(sid)
    if (end && end.at < beganAt)
      throw new Violation('revived', `${sid} gives a new token, though it was ended by ${end.by}`)
  }

  stored(entries: readonly DenylistEntry[]): void {
    for (const { kind, id, before } of entries) {
      const key = `${kind} ${id}`
      this.#attempted.set(key, Math.max(before, this.#attempted.get(key) ?? 0))
    }
  }

  returned(revocation: Revocation, by: 'acknowledgement' | 'lapse', t: Milliseconds): Token[] {
    revocation.returnedAt = t
    revocation.by = by
    this.counts.returned += 1
    if (by === 'lapse') this.counts.lapsed += 1
    if (revocation.isExempt) {
      this.counts.exempt += 1
      return []
    }
    for (const entry of revocation.stored) {
      const key = `${entry.kind} ${entry.id}`
      const former = this.#returned.get(key)
      if (entry.kind === 'lost') this.#returnedLost.push(entry)
      else if (former) former.push(entry)
      else this.#returned.set(key, [entry])
    }
    const covered = this.tokens.filter((token) => revocation.stored.some((entry) => covers(entry, token)))
    this.condemned.push(...covered)
    return covered
  }

  #covering(token: Token): DenylistEntry | undefined {
    for (const key of keysOf(token)) {
      const entry = this.#returned.get(key)?.find((candidate) => covers(candidate, token))
      if (entry) return entry
    }
    return this.#returnedLost.find((entry) => covers(entry, token))
  }

  /** An instance has decided on a token that is good otherwise. */
  decided(token: Token, decision: Decision, node: { id: string; jtiPrefix: string }): void {
    if (decision.kind === 'no_lease') this.counts.unleased += 1
    else if (decision.kind === 'admitted') {
      this.counts.admitted += 1
      const entry = this.#covering(token)
      if (entry)
        throw new Violation(
          'admitted',
          `${node.id} admits ${token.jti}, though ${entry.kind} ${entry.id} was revoked`,
        )
      const end = this.#ended.get(token.sid)
      if (end)
        throw new Violation('admitted', `${node.id} admits ${token.jti} of ${token.sid}, ended by ${end.by}`)
    } else if (decision.by === 'history') {
      this.counts.history += 1
      if (token.iat * 1000 > this.since || token.jti.startsWith(node.jtiPrefix))
        throw new Violation('denied', `${node.id} denies ${token.jti} for its history, which is known`)
    } else {
      this.counts.denied += 1
      const by = decision.by === 'evicted' ? 'sid' : decision.by
      const before = this.#attemptedBefore(by, token)
      const isDated = by === 'sub' || by === 'all' || by === 'lost'
      if (before === undefined || (isDated && token.iat * 1000 > before))
        throw new Violation('denied', `${node.id} denies ${token.jti} by ${by}, which nobody has revoked`)
      if (by === 'sid') this.#deniedSession(token, decision.by === 'evicted', before, node.id)
    }
  }

  /** A session that was evicted is denied as evicted, once that has returned, and no other session is. */
  #deniedSession({ jti, sid }: Token, isEvicted: boolean, before: UnixMs, id: string): void {
    if (isEvicted) this.counts.evicted += 1
    if (isEvicted && before !== EVICTED)
      throw new Violation('renamed', `${id} denies ${jti} as evicted, though nobody evicted ${sid}`)
    const wasEvicted = this.#returned.get(`sid ${sid}`)?.some((entry) => entry.before === EVICTED)
    if (!isEvicted && wasEvicted)
      throw new Violation('renamed', `${id} denies ${jti} as logged out, though ${sid} was evicted`)
  }

  #attemptedBefore(by: EntryKind, token: Token): UnixMs | undefined {
    if (by !== 'lost')
      return this.#attempted.get(keysOf(token).find((candidate) => candidate.startsWith(`${by} `))!)
    const befores = [...this.#attempted].flatMap(([key, before]) => {
      const [kind, id] = key.split(' ') as [string, string]
      const isAbout = kind === 'lost' && id.slice(JTI_PREFIX_LENGTH) === token.sub
      return isAbout && !token.jti.startsWith(id.slice(0, JTI_PREFIX_LENGTH)) ? [before] : []
    })
    return befores.length > 0 ? Math.max(...befores) : undefined
  }
}

function keysOf({ jti, sid, sub, kid }: Token): string[] {
  return [`jti ${jti}`, `sid ${sid}`, `sub ${sub}`, 'all *', `kid ${kid}`]
}

function covers({ kind, id, before }: DenylistEntry, token: Token): boolean {
  if (kind === 'all') return token.iat * 1000 <= before
  if (kind === 'lost') {
    const [jtiPrefix, sub] = [id.slice(0, JTI_PREFIX_LENGTH), id.slice(JTI_PREFIX_LENGTH)]
    return token.sub === sub && !token.jti.startsWith(jtiPrefix) && token.iat * 1000 <= before
  }
  return token[kind] === id && (kind !== 'sub' || token.iat * 1000 <= before)
}
