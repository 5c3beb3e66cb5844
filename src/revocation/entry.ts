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
export interface LogEntry {
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
export function reaches(a: Position, b: Position): boolean {
  return a.ms > b.ms || (a.ms === b.ms && a.seq >= b.seq)
}

const SPACE = 0x20

/**
 * `kind before until id`, as the log keeps it; undefined for what isn't an entry (an epoch's marker). From bytes, as
 * a part of a string would keep the whole of it in memory.
 */
export function parseEntry(text: Buffer): LogEntry | undefined {
  const kindEnd = text.indexOf(SPACE)
  const kind = text.toString('latin1', 0, kindEnd)
  if (!(ENTRY_KINDS as readonly string[]).includes(kind)) return undefined
  const beforeEnd = text.indexOf(SPACE, kindEnd + 1)
  const untilEnd = text.indexOf(SPACE, beforeEnd + 1)
  return {
    kind: kind as EntryKind,
    before: Number(text.toString('latin1', kindEnd + 1, beforeEnd)),
    until: Number(text.toString('latin1', beforeEnd + 1, untilEnd)),
    id: text.toString('utf8', untilEnd + 1),
  }
}
