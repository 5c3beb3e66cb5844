import type { UnixMs } from '../clock.js'

/**
 * The kinds of denylist entries. `jti` covers one token, `sid` one session, and `kid` all tokens that one key has
 * signed. `sub` and `all` cover tokens that were issued at `before` or earlier. `lost` is like `sub`, but doesn't cover
 * tokens whose `jti` has the prefix of the entry's epoch, because the sessions of these tokens can't be lost.
 */
export const ENTRY_KINDS = ['jti', 'sid', 'sub', 'all', 'kid', 'lost'] as const
export type EntryKind = (typeof ENTRY_KINDS)[number]

/** The length of a jti prefix in characters. The id of a `lost` entry consists of such a prefix and the subject. */
export const JTI_PREFIX_LENGTH = 8

/** Returns true for the kinds of entries that cover only tokens issued at `before` or earlier. */
export function hasBefore(kind: EntryKind): kind is 'sub' | 'all' | 'lost' {
  return kind === 'sub' || kind === 'all' || kind === 'lost'
}

/**
 * The `before` of a `sid` entry whose session was evicted: a later login took its place. All other `sid` entries have 0.
 * It isn't a field of its own, because earlier versions read exactly four fields. They ignore the `before` of a `sid`, so
 * they refuse the tokens of an evicted session, too. The value is never lost, because the larger `before` wins whenever
 * two entries are merged.
 */
export const EVICTED: UnixMs = 1

/** An entry of the denylist, as stored in the log. */
export interface DenylistEntry {
  readonly kind: EntryKind
  /** The id of the token, session, subject or key. It is `*` for `all`, and jti prefix plus subject for `lost`. */
  readonly id: string
  /**
   * The entry covers tokens with an `iat` of this time or earlier. Kinds that cover tokens of any age have 0, or `EVICTED`.
   */
  readonly before: UnixMs
  /** The time at which all tokens that the entry covers have expired. */
  readonly until: UnixMs
}

/**
 * An entry to be written. In the log, an entry without `until` is kept as long as any token can live.
 *
 * `lost` revokes the tokens that were issued to a subject before the current epoch. Redis may have lost their sessions,
 * so "log out everywhere" can't find these. The log puts the jti prefix of the epoch before the id of such an entry,
 * and omits the entry if all tokens that it covers have expired. Denylists that don't detect a loss of data ignore it.
 */
export interface NewEntry {
  readonly kind: EntryKind
  /** The id of the token, session, subject or key; `*` for `all`. */
  readonly id: string
  /**
   * As in `DenylistEntry`. `now` means the time of Redis plus τ, and `birth` the start of the epoch plus 3τ. Default:
   * `now` for `sub` and `all`, `birth` for `lost`, and 0 for the other kinds. Of these, only a `sid` may have another
   * value, `EVICTED`.
   */
  readonly before?: UnixMs | 'now' | 'birth' | undefined
  /** The `exp` of the token of a `jti`. In the log, the time at which the entry is dropped. */
  readonly until?: UnixMs | undefined
  /**
   * The time at which the session of a `sid` had ended, by the clock of the store. If the denylist has an entry from
   * then or later, none is written. The call still waits until no instance admits the tokens.
   */
  readonly endedAt?: UnixMs | undefined
  /** A note for people. */
  readonly reason?: string | undefined
}

/**
 * Returns the id in the name of an entry's denylist key. It has no jti prefix, because the script that writes an
 * entry of kind `lost` gets the name of the key before it knows the epoch.
 */
export function toKeyId({ kind, id }: Pick<DenylistEntry, 'kind' | 'id'>): string {
  return kind === 'lost' ? id.slice(JTI_PREFIX_LENGTH) : id
}

/** A position in the log: the id of a Redis stream entry. Positions are compared as pairs of numbers, never as text. */
export interface Position {
  readonly ms: number
  readonly seq: number
}

export const START: Position = { ms: 0, seq: 0 }

export function parsePosition(text: string): Position {
  const dash = text.indexOf('-')
  return { ms: Number(text.slice(0, dash)), seq: Number(text.slice(dash + 1)) }
}

export function formatPosition({ ms, seq }: Position): string {
  return `${ms}-${seq}`
}

/** Returns true if `a` is the same position in the log as `b`, or a later one. */
export function isAtOrAfter(a: Position, b: Position): boolean {
  return a.ms > b.ms || (a.ms === b.ms && a.seq >= b.seq)
}

const KINDS_BY_NAME: ReadonlyMap<string, EntryKind> = new Map(ENTRY_KINDS.map((kind) => [kind, kind]))
const SPACE = 0x20
const NEWLINE = 0x0a
/** The first word of a row with many entries. The sync script relies on its first letter, with which no kind begins. */
const MANY = 'many'
/** Characters of an `id` that are escaped in a row with many entries. */
const ESCAPES: Readonly<Record<string, string>> = { '%': '%25', '\n': '%0A' }

/**
 * Parses `kind before until id`, the form of an entry in the log. Returns `undefined` for the marker of an epoch, which
 * isn't an entry. The input is a buffer, because a substring would keep the whole string in memory.
 */
export function parseEntry(text: Buffer, start = 0, end = text.length): DenylistEntry | undefined {
  const kindEnd = text.indexOf(SPACE, start)
  const kind = KINDS_BY_NAME.get(text.toString('latin1', start, kindEnd))
  if (kind === undefined) return undefined
  const beforeEnd = text.indexOf(SPACE, kindEnd + 1)
  const untilEnd = text.indexOf(SPACE, beforeEnd + 1)
  return {
    kind,
    before: parseDigits(text, kindEnd + 1, beforeEnd),
    until: parseDigits(text, beforeEnd + 1, untilEnd),
    id: text.toString('utf8', untilEnd + 1, end),
  }
}

/** Parses a decimal number without creating a string, because a log may have millions of numbers. */
function parseDigits(text: Buffer, start: number, end: number): number {
  let number = 0
  for (let i = start; i < end; i += 1) number = 10 * number + text[i]! - 0x30
  return number
}

/**
 * Formats entries that are published again as one row of the log. Its first line is `many <count>`, followed by one
 * line per entry in the form that `parseEntry` reads. One row per entry would cost Redis and every reader many times as
 * much.
 *
 * @example
 * formatMany([{ kind: 'sid', id: 'a', before: 0, until: 5000 }]) // 'many 1\nsid 0 5000 a\n'
 */
export function formatMany(entries: readonly DenylistEntry[]): string {
  let text = `${MANY} ${entries.length}\n`
  for (const { kind, id, before, until } of entries) {
    const safeId = /[%\n]/.test(id) ? id.replace(/[%\n]/g, (character) => ESCAPES[character]!) : id
    text += `${kind} ${before} ${until} ${safeId}\n`
  }
  return text
}

/** Returns the entries of one row of the log. The marker of an epoch has none. */
export function parseRow(row: Buffer): readonly DenylistEntry[] {
  if (row.toString('latin1', 0, MANY.length) !== MANY) {
    const entry = parseEntry(row)
    return entry ? [entry] : []
  }
  const entries: DenylistEntry[] = []
  let start = row.indexOf(NEWLINE) + 1
  for (let end = row.indexOf(NEWLINE, start); end >= 0; end = row.indexOf(NEWLINE, start)) {
    const entry = parseEntry(row, start, end)
    start = end + 1
    if (!entry) continue
    const { id } = entry
    entries.push(id.includes('%') ? { ...entry, id: unescape(id) } : entry)
  }
  return entries
}

function unescape(id: string): string {
  return id.replace(/%25|%0A/g, (escape) => (escape === '%25' ? '%' : '\n'))
}
