/**
 * The Redis server and its scripts, as the protocol words them. Its data are immutable, so that a snapshot is a
 * reference.
 */
import type { UnixMs } from '../../src/clock.js'
import { isAtOrAfter, START } from '../../src/revocation/entry.js'
import type { DenylistEntry, Position } from '../../src/revocation/entry.js'
import { entryGrace } from '../../src/revocation/replica/revocation-log.js'
import type { NewEntry } from '../../src/revocation/entry.js'
import type {
  LogSettings,
  Member,
  RevokeReply,
  SyncReply,
  SyncRequest,
} from '../../src/revocation/replica/revocation-log.js'
import { BEGINNING } from './clocks.js'
import type { Random } from './random.js'
import { NO_SESSIONS } from './sessions.js'
import type { SessionData, SessionScript } from './sessions.js'

/** Rules of the scripts that a simulation leaves out, to see it fail. */
export type ServerRule = 'register' | 'acknowledge' | 'boot' | 'length' | 'version' | 'birth'

interface State {
  readonly epoch: string
  readonly boot: string
  readonly settled: boolean
  readonly since: UnixMs
  readonly born: UnixMs
  readonly epochPrefixes: readonly string[]
  readonly n: number
  readonly len: number
  readonly members: ReadonlyMap<string, Member>
}

interface Log {
  /** An epoch's marker has no entries; what was published again has many. */
  readonly rows: readonly { readonly position: Position; readonly entries: readonly DenylistEntry[] }[]
  readonly last: Position
}

export interface Data {
  readonly state: State | undefined
  readonly log: Log | undefined
  readonly sessions: SessionData
  readonly expiresAt: UnixMs
}

export const EMPTY: Data = { state: undefined, log: undefined, sessions: NO_SESSIONS, expiresAt: 0 }

export class Server {
  readonly #random: Random
  readonly #settings: LogSettings
  readonly #without: ReadonlySet<ServerRule>
  readonly #unregistered = new Map<string, Member>()
  /** How far its clock is ahead of the true time. */
  readonly #offset: number
  data: Data
  boot: string
  isUp = true
  /** What its replica has, and whether one is attached. */
  replica = { data: EMPTY, offset: 0, isAttached: true }
  /** How much was written; a replica has all up to its own. */
  offset = 0

  constructor(
    settings: LogSettings,
    random: Random,
    {
      data = EMPTY,
      offset = 0,
      without = new Set(),
    }: { data?: Data; offset?: number; without?: ReadonlySet<ServerRule> } = {},
  ) {
    this.#settings = settings
    this.#random = random
    this.#offset = offset
    this.#without = without
    this.data = data
    this.boot = random.id()
  }

  /** H + G */
  get #keep(): number {
    return this.#settings.horizon + entryGrace(this.#settings)
  }

  /** TIME, in milliseconds. */
  time(t: number): UnixMs {
    return Math.floor(BEGINNING + t + this.#offset)
  }

  /** The first lines of both scripts. */
  #fresh(wall: UnixMs, time: UnixMs): { state: State; log: Log } {
    const { tolerance } = this.#settings
    if (Math.abs(time - wall) > tolerance) throw new Error('CLOCK')
    if (this.data.expiresAt <= time) this.data = { ...this.data, state: undefined, log: undefined }
    const { state, log } = this.data
    const isSameLife = state?.boot === this.boot || this.#without.has('boot')
    const isWhole = log?.rows.length === state?.len || this.#without.has('length')
    if (state && log && isSameLife && isWhole) return { state, log }
    const epoch = this.#random.id()
    const marked = this.#add(log, [], time)
    const since = time + 3 * tolerance
    const blank = { born: time, settled: false, n: 0, members: new Map(), epochPrefixes: [epoch.slice(0, 8)] }
    return { state: { epoch, boot: this.boot, since, len: marked.rows.length, ...blank }, log: marked }
  }

  /** XADD with an id of the server's making. */
  #add(log: Log | undefined, entries: readonly DenylistEntry[], time: UnixMs): Log {
    const { rows, last } = log ?? { rows: [], last: START }
    const position = time > last.ms ? { ms: time, seq: 0 } : { ms: last.ms, seq: last.seq + 1 }
    return { rows: [...rows, { position, entries }], last: position }
  }

  #write(state: State, log: Log, time: UnixMs): void {
    this.offset += 1
    this.data = { ...this.data, state, log, expiresAt: time + this.#keep + 60_000 }
  }

  sync(request: SyncRequest, wall: UnixMs, t: number): SyncReply {
    const time = this.time(t)
    const { state, log } = this.#fresh(wall, time)
    const isCurrent = request.epoch === state.epoch
    const from = isCurrent ? request.applied : START
    const n = state.n + 1
    const members = new Map(state.members)
    const start = log.rows.findIndex(({ position }) => !isAtOrAfter(from, position))
    const rest = start < 0 ? [] : log.rows.slice(start)
    const page = pageOf(rest, request.count)
    const last = page.at(-1)?.position
    if (request.instance !== '') {
      const applied = this.#without.has('acknowledge') ? (last ?? from) : from
      this.#register(members, { id: request.instance, version: n, applied })
    }
    let { settled, since, epochPrefixes } = state
    if (isCurrent) {
      for (const { id, version } of request.dead) {
        if (members.get(id)?.version === version || this.#without.has('version')) members.delete(id)
      }
      settled ||= request.settle
      since = Math.min(since, request.vouch?.since ?? since)
      epochPrefixes = [...new Set([...epochPrefixes, ...(request.vouch?.epochPrefixes ?? [])])].slice(0, 4)
    }
    this.#write({ ...state, n, settled, since, epochPrefixes, members }, log, time)
    const entries = page.flatMap((row) => row.entries)
    const more = rest.length > page.length
    const told = request.who ? [...members.values()] : []
    return {
      epoch: state.epoch,
      settled,
      since,
      epochPrefixes,
      time,
      entries,
      last,
      more,
      members: told,
      waitOk: true,
    }
  }

  #register(members: Map<string, Member>, member: Member): void {
    const { id } = member
    if (!this.#without.has('register')) return void members.set(id, member)
    // It becomes a member only with the sync that comes after the one that read.
    const former = this.#unregistered.get(id)
    if (former) members.set(id, { ...former, version: member.version })
    this.#unregistered.set(id, member)
  }

  /** Also says what was stored, which no instance looks at. */
  revoke(
    entries: readonly NewEntry[],
    wall: UnixMs,
    t: number,
  ): RevokeReply & { stored: readonly DenylistEntry[] } {
    const time = this.time(t)
    const { tolerance } = this.#settings
    const { state, log: former } = this.#fresh(wall, time)
    const latest = time + this.#keep
    const slack = this.#without.has('birth') ? tolerance : 3 * tolerance
    const times = { now: time + tolerance, birth: state.born + slack }
    const written = entries.filter(({ before }) => before !== 'birth' || time <= state.born + this.#keep)
    const stored = written.map(({ kind, id, before = 0, until }) => ({
      kind,
      id: before === 'birth' ? state.epoch.slice(0, 8) + id : id,
      before: typeof before === 'number' ? before : times[before],
      until: Math.min(until ?? latest, latest),
    }))
    let log = former
    for (const entry of stored) log = this.#add(log, [entry], time)
    return this.#append(state, log, stored, time)
  }

  /** One row for all. */
  publish(
    entries: readonly DenylistEntry[],
    wall: UnixMs,
    t: number,
  ): RevokeReply & { stored: readonly DenylistEntry[] } {
    const time = this.time(t)
    const { state, log } = this.#fresh(wall, time)
    const stored = entries.map((entry) => ({ ...entry, until: Math.min(entry.until, time + this.#keep) }))
    return this.#append(state, this.#add(log, stored, time), stored, time)
  }

  #append(state: State, { rows, last }: Log, stored: readonly DenylistEntry[], time: UnixMs) {
    // `~` takes away as much as it likes of what may go.
    const old = rows.findIndex(({ position }) => position.ms >= time - this.#keep)
    const kept = rows.slice(this.#random.chance(0.5) ? this.#random.below(old + 1) : 0)
    this.#write({ ...state, len: kept.length }, { rows: kept, last }, time)
    const members = [...state.members.values()].map(({ id, version }) => ({ id, version }))
    const position = stored.length > 0 ? last : START
    return { epoch: state.epoch, position, members, stored }
  }

  leave(id: string): void {
    const { state } = this.data
    if (!state) return
    const members = new Map(state.members)
    members.delete(id)
    this.offset += 1
    this.data = { ...this.data, state: { ...state, members } }
  }

  onSessions<T>(script: SessionScript<T>, t: number): T {
    const [sessions, reply] = script(this.data.sessions, this.time(t))
    if (sessions !== this.data.sessions) {
      this.offset += 1
      this.data = { ...this.data, sessions }
    }
    return reply
  }
}

/** As many rows as have no more entries than are wanted, and one at least. */
function pageOf(rows: Log['rows'], count: number): Log['rows'] {
  let found = 0
  const end = rows.findIndex(({ entries }, i) => {
    found += Math.max(1, entries.length)
    return i > 0 && found > count
  })
  return end < 0 ? rows : rows.slice(0, end)
}
