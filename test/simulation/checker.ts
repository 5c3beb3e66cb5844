import type { Milliseconds, UnixMs, UnixSeconds } from '../../src/clock.js'
import { MARK_LENGTH } from '../../src/revocation/entry.js'
import type { DenylistEntry } from '../../src/revocation/entry.js'
import type { Decision } from '../../src/revocation/replica/instance.js'
import type { NewEntry } from '../../src/revocation/replica/revocation-log.js'
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

export type ViolationKind = 'admitted' | 'denied' | 'stuck' | 'grown'

/**
 * Something that must hold doesn't: what is revoked was admitted, what isn't was denied, nothing moves, or the log holds
 * more than it should.
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
    history: 0,
    unleased: 0,
    minted: 0,
    returned: 0,
    lapsed: 0,
    exempt: 0,
  }
  readonly #returned = new Map<string, DenylistEntry[]>()
  /** The largest `before` that any script stored. */
  readonly #attempted = new Map<string, UnixMs>()
  /** The largest `since` that an epoch was born with. */
  since = 0

  minted(token: Token): void {
    this.counts.minted += 1
    this.tokens.push(token)
    if (this.#covering(token)) this.condemned.push(token)
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
      if (former) former.push(entry)
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
    return undefined
  }

  /** An instance has decided on a token that is good otherwise. */
  decided(token: Token, decision: Decision, node: { id: string; mark: string }): void {
    if (decision.kind === 'no_lease') this.counts.unleased += 1
    else if (decision.kind === 'admitted') {
      this.counts.admitted += 1
      const entry = this.#covering(token)
      if (entry)
        throw new Violation(
          'admitted',
          `${node.id} admits ${token.jti}, though ${entry.kind} ${entry.id} was revoked`,
        )
    } else if (decision.by === 'history') {
      this.counts.history += 1
      if (token.iat * 1000 > this.since || token.jti.startsWith(node.mark))
        throw new Violation('denied', `${node.id} denies ${token.jti} for its history, which is known`)
    } else {
      this.counts.denied += 1
      const { by } = decision
      const key = keysOf(token).find((candidate) => candidate.startsWith(`${by} `))!
      const before = this.#attempted.get(key)
      const isDated = by === 'sub' || by === 'all'
      if (before === undefined || (isDated && token.iat * 1000 > before))
        throw new Violation('denied', `${node.id} denies ${token.jti} by ${by}, which nobody has revoked`)
    }
  }
}

function keysOf({ jti, sid, sub, kid }: Token): string[] {
  return [`jti ${jti}`, `sid ${sid}`, `sub ${sub}`, 'all *', `kid ${kid}`]
}

function covers({ kind, id, before }: DenylistEntry, token: Token): boolean {
  if (kind === 'all') return token.iat * 1000 <= before
  if (kind === 'lost') {
    const [mark, sub] = [id.slice(0, MARK_LENGTH), id.slice(MARK_LENGTH)]
    return token.sub === sub && !token.jti.startsWith(mark) && token.iat * 1000 <= before
  }
  return token[kind] === id && (kind !== 'sub' || token.iat * 1000 <= before)
}
