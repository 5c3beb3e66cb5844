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
  /**
   * All paths that an upstream may read, in the form of `CheckedTarget.match`. The first one is the path as sent. The
   * same route must match all of them.
   */
  readonly readings: readonly string[]
}

/** The reasons for a refusal that a route can switch off with `targetAllow`. */
export const LAX_REASONS: ReadonlySet<TargetRefusal> = new Set([
  'semicolon',
  'empty_segment',
  'encoded_delimiter',
  'not_utf8',
])

interface LaxRule {
  /** Returns true if a route must switch off this rule to accept the path. */
  readonly isNeededFor: (path: string) => boolean
  /** Returns what a server may read instead of the literal path. */
  readonly read: (path: string) => readonly string[]
}

const RULES: Readonly<Record<Laxity, LaxRule>> = {
  'encoded-slash': rule(/%2f/i, (path) => [path.replaceAll(/%2f/gi, '/')]),
  semicolon: rule(/;/, (path) => [path.replaceAll(/;[^/]*/g, '')]),
  'double-slash': rule(/\/\//, (path) => [path.replaceAll(/\/{2,}/g, '/')]),
  // For servers that decode the target before they split off the query and the fragment. For them, the path ends here.
  'encoded-hash': rule(/%23/, (path) => [path.replace(/%23.*$/, '')]),
  'encoded-question': rule(/%3f/i, (path) => [path.replace(/%3f.*$/i, '')]),
  // For servers that decode twice. Each further reading has one level of escapes less. `toMatch` comes first, because
  // an escaped digit may become part of an escape: `%25%32f` is `%252f`, and is then read as `%2f`.
  'encoded-percent': rule(/%25/, (path) => [toMatch(path).replaceAll('%25', '%')]),
  'encoded-semicolon': rule(/%3b/i, (path) => [path.replaceAll(/%3b[^/]*/gi, '')]),
  // Servers on Windows and browsers read a backslash as a slash.
  'encoded-backslash': rule(/%5c/i, (path) => [path.replaceAll(/%5c/gi, '/')]),
  'not-utf8': {
    isNeededFor: (path) => dropInvalid(path) !== path,
    read: (path) => [dropInvalid(path), decodeOverlong(path, true), decodeOverlong(path, false)],
  },
}

function rule(pattern: RegExp, read: LaxRule['read']): LaxRule {
  return { isNeededFor: (path) => pattern.test(path), read }
}

/** Maximum number of characters in all readings of one target. Each reading costs time, so longer ones are refused. */
const MAX_READ = 16_384

/** Returns the rules that at least one of the routes switches off. */
export function collectLaxities(
  routes: readonly { readonly targetAllow: readonly Laxity[] }[],
): ReadonlySet<Laxity> {
  return new Set(routes.flatMap(({ targetAllow }) => targetAllow))
}

/**
 * Computes all paths that an upstream may read from a refused target. Returns `undefined` if no route can accept it.
 * That is the case if one of these paths breaks a rule that no route switches off, if one has a fault that no route can
 * allow, such as a dot segment (`/a/..;/b`, `/a/..%2fb`), or if the paths are too long together.
 *
 * @param raw The request target as sent.
 * @param path The path of `raw`, without the query.
 * @param allowed The rules that at least one route switches off.
 */
export function readLaxly(raw: string, path: string, allowed: ReadonlySet<Laxity>): LaxTarget | undefined {
  const readings = [path]
  const needs = new Set<Laxity>()
  const known = new Set(readings)
  let left = MAX_READ - path.length
  // The loop appends to the list that it iterates over, because the rules also apply to the readings of other rules.
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
  // A `%` that was decoded from `%25` needn't begin an escape: `100%25` is read as `100%`.
  if (!isLiteral) plain = plain.replaceAll(/%(?![0-9a-f]{2})/gi, '~')
  return findStructureFault(plain) === undefined && decodeUnreserved(plain).ok
}

/**
 * Converts a reading to the form of `match`: decodes the escapes of unreserved characters, except that of the dot, and
 * writes all other escapes in upper case.
 */
function toMatch(reading: string): string {
  return reading.replaceAll(/%[0-9a-f]{2}/gi, (escape) => {
    const character = String.fromCharCode(Number.parseInt(escape.slice(1), 16))
    return /[\w~-]/.test(character) ? character : escape.toUpperCase()
  })
}

const HAS_HIGH_ESCAPE = /%[89a-f]/i

/** Replaces each escaped byte that is not part of a well-formed UTF-8 character. ASCII escapes are kept. */
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

/** The escaped U+FFFD. In a reading it stands for any non-ASCII character, because no route has this one. */
const OTHER = '%EF%BF%BD'

/**
 * Decodes a path as servers do that accept overlong UTF-8 forms (RFC 3629 §10). An overlong form becomes the ASCII
 * character that it encodes: `%C0%AF` becomes a slash. Every other non-ASCII character becomes `OTHER`.
 *
 * @param isStrict If true, the server requires continuation bytes (0x80 to 0xBF) after the first byte, and drops bytes
 *   that form no character. If false, it uses as many bytes as the first byte announces, whatever their values are.
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
    // The leading one bits of the first byte are the number of bytes. A byte that begins no character is handled alone.
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
