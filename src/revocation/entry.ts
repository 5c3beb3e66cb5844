import type { UnixMs } from '../clock.js'

/**
 * `jti`: one token. `sid`: one session. `sub`, `all`: what was issued at `before` or earlier. `kid`: what one key
 * signed. `lost`: as `sub`, for tokens from before an epoch, whose sessions may be lost; not for tokens with the mark of
 * that epoch.
 */
export const ENTRY_KINDS = ['jti', 'sid', 'sub', 'all', 'kid', 'lost'] as const
export type EntryKind = (typeof ENTRY_KINDS)[number]

/** Length of a mark, in characters: with it begins the id of a `lost` entry, before the subject. */
export const MARK_LENGTH = 8

/** Kinds of which `before` means something. */
export function hasBefore(kind: EntryKind): kind is 'sub' | 'all' | 'lost' {
  return kind === 'sub' || kind === 'all' || kind === 'lost'
}

/** One denial as the log has it. */
export interface DenylistEntry {
  readonly kind: EntryKind
  /** What it is about; `*` for `all`; for `lost`, the epoch's mark and the subject. */
  readonly id: string
  /** For `sub`, `all` and `lost`: tokens with an `iat` of this time or earlier. 0 for the others. */
  readonly before: UnixMs
  /** When no token that it denies can be alive any more. */
  readonly until: UnixMs
}

/** A place in the log: a Redis stream id. Compared as a pair of numbers, never as text. */
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

/** Whether `a` is at or behind `b`'s place in the log: everything up to `b` is part of everything up to `a`. */
export function isAtOrAfter(a: Position, b: Position): boolean {
  return a.ms > b.ms || (a.ms === b.ms && a.seq >= b.seq)
}

const KINDS_BY_NAME: ReadonlyMap<string, EntryKind> = new Map(ENTRY_KINDS.map((kind) => [kind, kind]))
const SPACE = 0x20
const NEWLINE = 0x0a
/** How a row of many entries begins; no kind begins with the same letter, which the sync script relies on. */
const MANY = 'many'
/** What an `id` has these instead of, in a row of many. */
const ESCAPES: Readonly<Record<string, string>> = { '%': '%25', '\n': '%0A' }

/**
 * `kind before until id`, as the log keeps it; undefined for what isn't an entry (an epoch's marker). From bytes, as
 * a part of a string would keep the whole of it in memory.
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

/** Without a string between: a log may have millions of them. */
function parseDigits(text: Buffer, start: number, end: number): number {
  let number = 0
  for (let i = start; i < end; i += 1) number = 10 * number + text[i]! - 0x30
  return number
}

/**
 * Entries that are published again, as one row of the log: `many <count>`, then a line for each, as `parseEntry` takes
 * it. A million rows of one entry each would cost Redis, and every reader, many times as much.
 */
export function formatMany(entries: readonly DenylistEntry[]): string {
  let text = `${MANY} ${entries.length}\n`
  for (const { kind, id, before, until } of entries) {
    const safeId = /[%\n]/.test(id) ? id.replace(/[%\n]/g, (character) => ESCAPES[character]!) : id
    text += `${kind} ${before} ${until} ${safeId}\n`
  }
  return text
}

/** The entries of one row of the log; none for an epoch's marker. */
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
