/** Request targets that upstreams may read in more than one way, and that a route may accept (`targetAllow`). */
import {
  countUtf8Escapes,
  decodeUnreserved,
  findRawFault,
  findStructureFault,
  readEscape,
} from './target-faults.js'
import type { TargetRefusal } from './target-faults.js'

/** Names of the rules that a route can switch off with `targetAllow`. */
export const LAXITIES = [
  'encoded-slash',
  'semicolon',
  'double-slash',
  'encoded-hash',
  'encoded-question',
  'encoded-percent',
  'encoded-semicolon',
  'encoded-backslash',
  'not-utf8',
] as const

export type Laxity = (typeof LAXITIES)[number]

/** A request target that upstreams may read in more than one way. */
export interface LaxTarget {
  readonly raw: string
  /** The rules that the route must switch off. */
  readonly needs: readonly Laxity[]
  /** All possible paths, in the form of `CheckedTarget.match`, with the literal path first. One route must match all. */
  readonly readings: readonly string[]
}

/** The reasons that `targetAllow` can lift. */
export const LAX_REASONS: ReadonlySet<TargetRefusal> = new Set([
  'semicolon',
  'empty_segment',
  'encoded_delimiter',
  'not_utf8',
])

interface LaxRule {
  readonly isNeededFor: (path: string) => boolean
  /** Returns what a server may read instead of the literal path. */
  readonly read: (path: string) => readonly string[]
}

const RULES: Readonly<Record<Laxity, LaxRule>> = {
  'encoded-slash': rule(/%2f/i, (path) => [path.replaceAll(/%2f/gi, '/')]),
  semicolon: rule(/;/, (path) => [path.replaceAll(/;[^/]*/g, '')]),
  'double-slash': rule(/\/\//, (path) => [path.replaceAll(/\/{2,}/g, '/')]),
  // A server that decodes first and splits then ends the path here.
  'encoded-hash': rule(/%23/, (path) => [path.replace(/%23.*$/, '')]),
  'encoded-question': rule(/%3f/i, (path) => [path.replace(/%3f.*$/i, '')]),
  // A server that decodes twice. Each further reading has one level less. Escaped digits may become part of an escape.
  'encoded-percent': rule(/%25/, (path) => [toMatch(path).replaceAll('%25', '%')]),
  'encoded-semicolon': rule(/%3b/i, (path) => [path.replaceAll(/%3b[^/]*/gi, '')]),
  // Windows and browsers.
  'encoded-backslash': rule(/%5c/i, (path) => [path.replaceAll(/%5c/gi, '/')]),
  'not-utf8': {
    isNeededFor: (path) => dropInvalid(path) !== path,
    read: (path) => [dropInvalid(path), decodeOverlong(path, true), decodeOverlong(path, false)],
  },
}

function rule(pattern: RegExp, read: LaxRule['read']): LaxRule {
  return { isNeededFor: (path) => pattern.test(path), read }
}

/** Characters of all readings together. A target with more is refused, because each reading costs time. */
const MAX_READ = 16_384

/** Returns the rules that at least one of the routes switches off. */
export function collectLaxities(
  routes: readonly { readonly targetAllow: readonly Laxity[] }[],
): ReadonlySet<Laxity> {
  return new Set(routes.flatMap(({ targetAllow }) => targetAllow))
}

/**
 * Computes all paths that an upstream may read from a refused target. Returns `undefined` if no route can accept it:
 * one of these paths breaks a rule that no route switches off, such as a dot segment (`/a/..;/b`, `/a/..%2fb`).
 *
 * @param allowed The rules that some route switches off.
 */
export function readLaxly(raw: string, path: string, allowed: ReadonlySet<Laxity>): LaxTarget | undefined {
  const readings = [path]
  const needs = new Set<Laxity>()
  const known = new Set(readings)
  let left = MAX_READ - path.length
  // The list grows while it is read: rules also apply to what other rules make of the path.
  for (const reading of readings) {
    if (!isAcceptable(reading, reading === path)) return undefined
    for (const laxity of LAXITIES) {
      const { isNeededFor, read } = RULES[laxity]
      if (!isNeededFor(reading)) continue
      if (!allowed.has(laxity)) return undefined
      needs.add(laxity)
      for (const other of read(reading)) {
        if (known.has(other)) continue
        known.add(other)
        readings.push(other)
        left -= other.length
      }
    }
    if (left < 0) return undefined
  }
  return { raw, needs: [...needs], readings: readings.map(toMatch) }
}

/** Returns true if a reading breaks only rules that a route can switch off. */
function isAcceptable(reading: string, isLiteral: boolean): boolean {
  // Many URL parsers treat the text after `//` as a host, and read `//x/admin` as `/admin`.
  if (!reading.startsWith('/') || reading.startsWith('//')) return false
  if (!isLiteral && (findRawFault(reading) !== undefined || reading.includes('?'))) return false
  let plain = replaceInvalid(reading, '~')
    .replaceAll(/%(?:2f|23|3f|25|3b|5c)/gi, '~')
    .replaceAll(';', '~')
    .replaceAll(/\/{2,}/g, '/')
  // What `%25` stands for may be no escape, as in `100%25`.
  if (!isLiteral) plain = plain.replaceAll(/%(?![0-9a-f]{2})/gi, '~')
  return findStructureFault(plain) === undefined && decodeUnreserved(plain).ok
}

/** Converts a reading to the form of `match`: escapes in upper case, those of unreserved characters decoded. */
function toMatch(reading: string): string {
  return reading.replaceAll(/%[0-9a-f]{2}/gi, (escape) => {
    const character = String.fromCharCode(Number.parseInt(escape.slice(1), 16))
    return /[\w~-]/.test(character) ? character : escape.toUpperCase()
  })
}

const HAS_HIGH_ESCAPE = /%[89a-f]/i

/** Replaces each escape that is not part of a UTF-8 character. */
function replaceInvalid(path: string, replacement: string): string {
  if (!HAS_HIGH_ESCAPE.test(path)) return path
  let result = ''
  let copied = 0
  for (let at = path.indexOf('%'); at !== -1; at = path.indexOf('%', at + 1)) {
    const byte = readEscape(path, at)
    if (byte === undefined || byte < 0x80) continue
    const bytes = countUtf8Escapes(path, at, byte)
    if (bytes === 0) {
      result += path.slice(copied, at) + replacement
      copied = at + 3
    }
    at += 3 * Math.max(bytes, 1) - 1
  }
  return result + path.slice(copied)
}

function dropInvalid(path: string): string {
  return replaceInvalid(path, '')
}

/** U+FFFD, which stands for a character that no route has. */
const OTHER = '%EF%BF%BD'

/**
 * Decodes as servers did that didn't refuse overlong forms (RFC 3629 §10): these become the ASCII character that they
 * stand for, such as `%C0%AF` a slash.
 *
 * @param isStrict True for a server that requires continuation bytes (0x80 to 0xBF) after the first byte, and drops
 *   bytes that form no character. Others take as many bytes as the first one says, whatever they are.
 */
function decodeOverlong(path: string, isStrict: boolean): string {
  const units = path.match(/%[0-9a-f]{2}|[^]/gi) ?? []
  const values = units.map((unit) =>
    unit.length === 3 ? Number.parseInt(unit.slice(1), 16) : unit.charCodeAt(0),
  )
  let result = ''
  for (let at = 0; at < units.length; at += 1) {
    const first = values[at]!
    if (first < 0x80) {
      result += units[at]
      continue
    }
    // The number of leading ones is the number of bytes. A byte that can't be the first one stands alone.
    const ones = Math.clz32(~first << 24)
    const rest = values.slice(at + 1, at + ones)
    const isComplete = ones >= 2 && ones <= 6 && rest.length === ones - 1
    if (!isComplete || (isStrict && rest.some((byte) => (byte & 0xc0) !== 0x80))) {
      if (!isStrict) result += OTHER
      continue
    }
    const code = rest.reduce((sum, byte) => sum * 64 + (byte & 0x3f), first & (0xff >> (ones + 1)))
    result += code < 0x80 ? String.fromCharCode(code) : OTHER
    at += ones - 1
  }
  return result
}
