/** An instance of the leased replica under a test's hand: its clocks, and replies of a log that the test words. */
import { parsePosition } from '../../src/revocation/entry.js'
import type { Position } from '../../src/revocation/entry.js'
import { Instance } from '../../src/revocation/replica/instance.js'
import type { InstanceSettings, Sync, SyncOutcome } from '../../src/revocation/replica/instance.js'
import type { RevokeReply, SyncReply } from '../../src/revocation/replica/revocation-log.js'
import type { RevocableToken } from '../../src/revocation/denylist.js'

export const WALL = 1_800_000_000_000
export const LEASE = 1_000
/** W */
export const LAPSE = 1_100

export function place(ms: number, seq = 0): Position {
  return parsePosition(`${ms}-${seq}`)
}

export class Rig {
  readonly instance: Instance
  monotonic = 5_000
  wall = WALL

  constructor(settings: Partial<InstanceSettings> = {}) {
    this.instance = new Instance({
      id: 'me',
      lease: LEASE,
      horizon: 900_000,
      tolerance: 2_000,
      leeway: 0,
      onLostHistory: 'heal',
      page: 2,
      ...settings,
    })
  }

  get now() {
    return { monotonic: this.monotonic, wall: this.wall }
  }

  get state() {
    return this.instance.state(this.now)
  }

  advance(milliseconds: number): void {
    this.monotonic += milliseconds
    this.wall += milliseconds
  }

  /** A reply that grants a lease, unless the test says otherwise. */
  reply(change: Partial<SyncReply> = {}): SyncReply {
    const { wall } = this
    const rest = { entries: [], last: undefined, more: false, members: [], waitOk: true }
    return {
      epoch: 'epoch-one-1',
      settled: true,
      since: WALL - 60_000,
      epochPrefixes: ['epoch-on'],
      time: wall,
      ...rest,
      ...change,
    }
  }

  written(change: Partial<RevokeReply> = {}): RevokeReply {
    return { epoch: 'epoch-one-1', position: place(10), members: [], ...change }
  }

  answer(sync: Sync, change: Partial<SyncReply> = {}): SyncOutcome {
    return this.instance.onSync(sync, this.reply(change), this.now)
  }

  /** A sync that is answered after a millisecond. */
  sync(change: Partial<SyncReply> = {}): SyncOutcome {
    const sync = this.instance.sync(this.now)
    this.advance(1)
    return this.answer(sync, change)
  }

  token(change: Partial<RevocableToken> = {}): RevocableToken {
    return { jti: 'epoch-on.j1', sid: 's1', sub: 'anna', kid: 'k1', iat: WALL / 1000, ...change }
  }

  decide(token = this.token()): string {
    const decision = this.instance.decide(token, this.now)
    return decision.kind === 'revoked' ? decision.by : decision.kind
  }
}

export function sid(id: string, until = WALL + 600_000) {
  return { kind: 'sid', id, before: 0, until } as const
}
