/** The real ends of sessions, less one rule: by what the store and the denylist do, or the caller gives. */
import { withoutLost } from '../../src/revocation/denylist.js'
import type { NewEntry } from '../../src/revocation/entry.js'
import type { EndOutcome, EndRequest, IndexedSession } from '../../src/store/session-store.js'
import type { Sid } from '../../src/session/session.js'
import { SimulatedDenylist } from './denylist.js'
import { SimulatedStore } from './session-store.js'
import { leaveIndex, readRecord } from './sessions.js'
import type { SessionScript } from './sessions.js'

export type SessionRule =
  'unindex' | 'half' | 'own' | 'tombstone' | 'lost' | 'wait' | 'reindex' | 'trust' | 'repeat' | 'orphans'

export const SESSION_RULES = [
  'unindex',
  'half',
  'own',
  'tombstone',
  'lost',
  'wait',
  'reindex',
  'trust',
  'repeat',
  'orphans',
] as const satisfies readonly SessionRule[]

export const WEAK_STORES: Partial<Record<SessionRule, typeof SimulatedStore>> = {
  /** An id leaves the index with its record, before its entry is in the log. */
  unindex: class extends SimulatedStore {
    protected override endScript(ending: EndRequest): SessionScript<EndOutcome> {
      return (data, time) => {
        const [ended, outcome] = super.endScript(ending)(data, time)
        if (!('sub' in outcome)) return [ended, outcome]
        return [leaveIndex(outcome.sub, [ending.sid])(ended, time)[0], outcome]
      }
    }
  },
  /** "Everywhere" takes only ids whose session is alive. */
  half: class extends SimulatedStore {
    override sids(sub: string): Promise<Sid[]> {
      return this.run((data, time) => {
        const ids = [...(data.index.get(sub)?.keys() ?? [])] as Sid[]
        return [data, ids.filter((sid) => readRecord(data, sid, time)?.kind !== 'tombstone')]
      })
    }

    override async indexed(...place: Parameters<SimulatedStore['indexed']>): Promise<IndexedSession[]> {
      return (await super.indexed(...place)).filter(({ state }) => state !== 'ended')
    }
  },
  /** A rotation in another epoch leaves the index as it is. */
  reindex: class extends SimulatedStore {
    protected override mustIndexAgain(): boolean {
      return false
    }
  },
  /** "Everywhere" reads the index only once, before it ends any session. */
  orphans: class extends SimulatedStore {
    override async indexed(): Promise<IndexedSession[]> {
      return []
    }
  },
  /** An end leaves no tombstone where there is no record. */
  tombstone: class extends SimulatedStore {
    override end({ indexedFor: _, ...ending }: EndRequest): Promise<EndOutcome> {
      return super.end(ending)
    }
  },
}

export const WEAK_DENYLISTS: Partial<Record<SessionRule, typeof SimulatedDenylist>> = {
  /** With `heal` and `accept`, tokens of sessions that were lost aren't denied. */
  lost: class extends SimulatedDenylist {
    override revoke(entries: readonly NewEntry[]): Promise<void> {
      return super.revoke(this.onLostHistory === 'reject' ? entries : withoutLost(entries))
    }
  },
  /** With `reject`, "everywhere" doesn't wait for leases of the new epoch. */
  wait: class extends SimulatedDenylist {
    override revoke(entries: readonly NewEntry[]): Promise<void> {
      return super.revoke(this.onLostHistory === 'reject' ? withoutLost(entries) : entries)
    }
  },
  /** An end that finds the entry of an earlier end returns at once. */
  repeat: class extends SimulatedDenylist {
    override async revoke(entries: readonly NewEntry[]): Promise<void> {
      const isRepeated = entries.every((entry) => entry.kind === 'sid' && entry.endedAt !== undefined)
      const isKnown = entries.every((entry) => this.knows(entry.id))
      if (!isRepeated || !isKnown) await super.revoke(entries)
    }
  },
  /** With `reject`, a record from a history that nobody knows gives tokens. */
  trust: class extends SimulatedDenylist {
    override trusts(): boolean {
      return true
    }
  },
}
