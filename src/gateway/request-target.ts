/**
 * Rules for request targets (RFC 9112 §3.2) that may be forwarded. The gateway and the upstream must read the same path
 * from the same bytes. A target that some upstream could decode, split or normalize in another way is refused, for one
 * of these reasons.
 */
export type TargetRefusal =
  | 'empty'
  | 'too_long'
  | 'absolute_form'
  | 'authority_form'
  | 'asterisk_form'
  | 'fragment'
  | 'raw_control_or_space'
  | 'raw_non_ascii'
  | 'backslash'
  | 'semicolon'
  | 'empty_segment'
  | 'dot_segment'
  | 'malformed_escape'
  | 'encoded_delimiter'
  | 'encoded_control'
  | 'not_utf8'

/** Names of the rules that a route can switch off with `targetAllow`. */
export const LAXITIES = ['encoded-slash', 'semicolon', 'double-slash'] as const

export type Laxity = (typeof LAXITIES)[number]

/** The result of `checkTarget`. */
export type CheckedTarget =
  | {
      readonly ok: true
      /** The request target as received. It is forwarded byte for byte. */
      readonly raw: string
      /** The path as received. */
      readonly path: string
      /** The query as received, without the first `?`. `undefined` if the target has no `?`. */
      readonly query: string | undefined
      /**
       * The path in the form for route lookup. Escapes of unreserved characters are decoded (`%61` to `a`), and other
       * escapes are in upper case.
       */
      readonly match: string
    }
  | {
      readonly ok: false
      readonly reason: TargetRefusal
      /** Set if a route can accept the target with `targetAllow`. */
      readonly lax?: LaxTarget
    }

/** A request target that upstreams may read in more than one way. */
export interface LaxTarget {
  readonly raw: string
  /** The rules that the route must switch off. */
  readonly needs: readonly Laxity[]
  /** All possible paths, in the form of `match`, with the literal path first. One route must match all of them. */
  readonly readings: readonly string[]
}

/** Limits for request targets. */
export interface TargetLimits {
  /** Maximum length of the request target, in bytes. */
  target: number
}

/** A fast path: segments of plain characters, none starting with a dot, and a query of visible ASCII without `#`. */
const PLAIN_TARGET = /^(?:\/[\w~!$&'()*+,=:@-][\w.~!$&'()*+,=:@-]*)*\/?(?:\?[!"$-~]*)?$/
const FRAGMENT = 0x23
const PERCENT = 0x25
const DOT = 0x2e
const SLASH = 0x2f
const SEMICOLON = 0x3b
const BACKSLASH = 0x5c

/**
 * Checks a raw request target, such as `IncomingMessage.url`. Takes linear time and never throws. If the result is
 * `ok`, the target can be forwarded byte for byte, and every common way to decode it leads to the same route as
 * `match`.
 *
 * @example
 * checkTarget('/a/%61?b', { target: 8192 }) // { ok: true, path: '/a/%61', query: 'b', match: '/a/a', … }
 * checkTarget('/a/../b', { target: 8192 }) // { ok: false, reason: 'dot_segment' }
 */
export function checkTarget(rawUrl: string | undefined, limits: TargetLimits): CheckedTarget {
  if (rawUrl === undefined || rawUrl === '') return reject('empty')
  if (rawUrl.length > limits.target) return reject('too_long')
  if (rawUrl.charCodeAt(0) !== SLASH) return reject(classifyForm(rawUrl))

  const queryStart = rawUrl.indexOf('?')
  const path = queryStart === -1 ? rawUrl : rawUrl.slice(0, queryStart)
  const query = queryStart === -1 ? undefined : rawUrl.slice(queryStart + 1)
  if (PLAIN_TARGET.test(rawUrl)) return { ok: true, raw: rawUrl, path, query, match: path }

  const reason = findRawFault(rawUrl) ?? findStructureFault(path)
  if (reason !== undefined)
    return LAX_REASONS.has(reason) ? checkWithLaxities(reason, rawUrl, path) : reject(reason)
  const decoded = decodeUnreserved(path)
  if (decoded.ok) return { ok: true, raw: rawUrl, path, query, match: decoded.match }
  return LAX_REASONS.has(decoded.reason) ? checkWithLaxities(decoded.reason, rawUrl, path) : decoded
}

const LAX_REASONS: ReadonlySet<TargetRefusal> = new Set(['semicolon', 'empty_segment', 'encoded_delimiter'])

/** The second way to read a path, for each rule that a route can switch off. The first way is the literal path. */
const READINGS: Readonly<Record<Laxity, [pattern: RegExp, read: (path: string) => string]>> = {
  'encoded-slash': [/%2f/i, (path) => path.replaceAll(/%2f/gi, '/')],
  semicolon: [/;/, (path) => path.replaceAll(/;[^/]*/g, '')],
  'double-slash': [/\/\//, (path) => path.replaceAll(/\/{2,}/g, '/')],
}

/**
 * Computes all paths that an upstream with `targetAllow` may read from a refused target. The target can't be accepted
 * if one of these paths breaks a rule that no route can switch off, such as a dot segment (`/a/..;/b`, `/a/..%2fb`).
 */
function checkWithLaxities(reason: TargetRefusal, raw: string, path: string): CheckedTarget {
  if (findRawFault(raw) !== undefined) return reject(reason)
  let readings = [path]
  const needs: Laxity[] = []
  for (const laxity of LAXITIES) {
    const [pattern, read] = READINGS[laxity]
    if (!readings.some((reading) => pattern.test(reading))) continue
    needs.push(laxity)
    readings = [...new Set(readings.flatMap((reading) => [reading, read(reading)]))]
  }
  const matches: string[] = []
  for (const reading of readings) {
    // Many URL parsers treat the text after `//` as a host, and read `//x/admin` as `/admin`.
    if (reading.startsWith('//')) return reject(reason)
    const plain = reading
      .replaceAll(/%2f/gi, '~')
      .replaceAll(';', '~')
      .replaceAll(/\/{2,}/g, '/')
    if (findStructureFault(plain) !== undefined || !decodeUnreserved(plain).ok) return reject(reason)
    matches.push(toMatch(reading))
  }
  return { ok: false, reason, lax: { raw, needs, readings: matches } }
}

/** Converts a path to the form of `match`. Unlike `decodeUnreserved`, it accepts `%2F` and keeps it. */
function toMatch(reading: string): string {
  return reading
    .split(/(%2f)/i)
    .map((part) => (/^%2f$/i.test(part) ? '%2F' : (decodeUnreserved(part) as { match: string }).match))
    .join('')
}

function reject(reason: TargetRefusal): { ok: false; reason: TargetRefusal } {
  return { ok: false, reason }
}

function classifyForm(target: string): TargetRefusal {
  if (target === '*') return 'asterisk_form'
  return (
    findRawFault(target) ?? (/^[a-z][a-z0-9+.-]*:\/\//i.test(target) ? 'absolute_form' : 'authority_form')
  )
}

/** Finds a character that must be escaped everywhere in a request target. */
function findRawFault(target: string): TargetRefusal | undefined {
  for (let at = 0; at < target.length; at++) {
    const code = target.charCodeAt(at)
    if (code <= 0x20 || code === 0x7f) return 'raw_control_or_space'
    if (code > 0x7f) return 'raw_non_ascii'
    if (code === FRAGMENT) return 'fragment'
  }
  return undefined
}

/** Finds a backslash, a semicolon, an empty segment or a dot segment. */
function findStructureFault(path: string): TargetRefusal | undefined {
  let start = 1
  for (let at = 1; at <= path.length; at++) {
    const code = at === path.length ? SLASH : path.charCodeAt(at)
    if (code === BACKSLASH) return 'backslash'
    if (code === SEMICOLON) return 'semicolon'
    if (code !== SLASH) continue
    const length = at - start
    if (length === 0 && at < path.length) return 'empty_segment'
    if (length === 1 && path.charCodeAt(start) === DOT) return 'dot_segment'
    if (length === 2 && path.charCodeAt(start) === DOT && path.charCodeAt(start + 1) === DOT)
      return 'dot_segment'
    start = at + 1
  }
  return undefined
}

type DecodeResult = { ok: true; match: string } | { ok: false; reason: TargetRefusal }

/** Checks all escapes of a path, and decodes those of unreserved characters (RFC 3986 §2.3) except the dot. */
function decodeUnreserved(path: string): DecodeResult {
  let match = ''
  let copied = 0
  let at = path.indexOf('%')
  while (at !== -1) {
    match += path.slice(copied, at)
    const byte = readEscape(path, at)
    if (byte === undefined) return reject('malformed_escape')
    if (byte < 0x20 || byte === 0x7f) return reject('encoded_control')
    if (byte < 0x80) {
      const character = String.fromCharCode(byte)
      if ('/\\.;%#?'.includes(character)) return reject('encoded_delimiter')
      match += /[\w~-]/.test(character) ? character : path.slice(at, at + 3).toUpperCase()
      copied = at + 3
    } else {
      const bytes = countUtf8Escapes(path, at, byte)
      if (bytes === 0) return reject('not_utf8')
      // C1 controls, U+0080 to U+009F
      if (byte === 0xc2 && readEscape(path, at + 3)! < 0xa0) return reject('encoded_control')
      copied = at + 3 * bytes
      match += path.slice(at, copied).toUpperCase()
    }
    at = path.indexOf('%', copied)
  }
  return { ok: true, match: match + path.slice(copied) }
}

/** Returns the byte that is escaped at `at`, or `undefined` if there is no complete escape. */
function readEscape(path: string, at: number): number | undefined {
  if (path.charCodeAt(at) !== PERCENT) return undefined
  const high = parseHexDigit(path.charCodeAt(at + 1))
  const low = parseHexDigit(path.charCodeAt(at + 2))
  return high < 0 || low < 0 ? undefined : high * 16 + low
}

/** Returns the value of a hexadecimal digit, or -1. */
function parseHexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  const letter = code | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1
}

/**
 * Returns the number of escapes of the UTF-8 character that starts at `at`. Returns 0 if the sequence isn't
 * well-formed by RFC 3629 §4. This includes overlong forms, surrogates, and unexpected or missing continuation bytes.
 */
function countUtf8Escapes(path: string, at: number, first: number): number {
  let bytes: number
  if (first >= 0xc2 && first <= 0xdf) bytes = 2
  else if (first >= 0xe0 && first <= 0xef) bytes = 3
  else if (first >= 0xf0 && first <= 0xf4) bytes = 4
  else return 0

  let min = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80
  let max = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf
  for (let n = 1; n < bytes; n++) {
    const next = readEscape(path, at + 3 * n)
    if (next === undefined || next < min || next > max) return 0
    min = 0x80
    max = 0xbf
  }
  return bytes
}

/** Returns the bytes to forward for a target that a route has accepted. */
export function rawTarget(target: CheckedTarget): string {
  return target.ok ? target.raw : target.lax!.raw
}
