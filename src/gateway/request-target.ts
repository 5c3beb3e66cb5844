/**
 * The target law: what a request-target (RFC 9112 §3.2) must look like to be forwarded. Two programs that read the same
 * bytes must see the same path, so whatever some upstream might decode, split or collapse differently is refused.
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

/** Rules that a route may leave to its upstream, by name (`targetAllow`). */
export const LAXITIES = ['encoded-slash', 'semicolon', 'double-slash'] as const

export type Laxity = (typeof LAXITIES)[number]

export type CheckedTarget =
  | {
      readonly ok: true
      /** As it came; to be forwarded byte for byte. */
      readonly raw: string
      /** The path as it came. */
      readonly path: string
      /** What followed the first `?`, as it came; undefined where there was none. */
      readonly query: string | undefined
      /** The path for comparing with routes: unreserved escapes decoded (`%61` is `a`), other escapes in capitals. */
      readonly match: string
    }
  | {
      readonly ok: false
      readonly reason: TargetRefusal
      /** Where it would pass with laxer rules. */
      readonly lax?: LaxTarget
    }

/** A target that some upstreams read in more than one way. */
export interface LaxTarget {
  readonly raw: string
  /** What a route must allow for it. */
  readonly needs: readonly Laxity[]
  /** What it may mean, as `match` of a judged target, the literal one first: the same route must cover all of them. */
  readonly readings: readonly string[]
}

export interface TargetLimits {
  /** The longest target accepted, in bytes. */
  target: number
}

/** Non-empty segments of plain characters, none beginning with a dot; any query of visible ASCII but `#`. */
const PLAIN = /^(?:\/[\w~!$&'()*+,=:@-][\w.~!$&'()*+,=:@-]*)*\/?(?:\?[!"$-~]*)?$/
const FRAGMENT = 0x23
const PERCENT = 0x25
const DOT = 0x2e
const SLASH = 0x2f
const SEMICOLON = 0x3b
const BACKSLASH = 0x5c

/**
 * Judges a raw request-target, such as `IncomingMessage.url`. Never throws; takes linear time. A target that passes
 * may be forwarded byte for byte, and no usual way of decoding it leads to another route than `match` does.
 */
export function checkTarget(rawUrl: string | undefined, limits: TargetLimits): CheckedTarget {
  if (rawUrl === undefined || rawUrl === '') return reject('empty')
  if (rawUrl.length > limits.target) return reject('too_long')
  if (rawUrl.charCodeAt(0) !== SLASH) return reject(classifyForm(rawUrl))

  const mark = rawUrl.indexOf('?')
  const path = mark === -1 ? rawUrl : rawUrl.slice(0, mark)
  const query = mark === -1 ? undefined : rawUrl.slice(mark + 1)
  if (PLAIN.test(rawUrl)) return { ok: true, raw: rawUrl, path, query, match: path }

  const reason = findRawFault(rawUrl) ?? findStructureFault(path)
  if (reason !== undefined)
    return LAX_REASONS.has(reason) ? checkWithLaxities(reason, rawUrl, path) : reject(reason)
  const decoded = decodeUnreserved(path)
  if (decoded.ok) return { ok: true, raw: rawUrl, path, query, match: decoded.match }
  return LAX_REASONS.has(decoded.reason) ? checkWithLaxities(decoded.reason, rawUrl, path) : decoded
}

const LAX_REASONS: ReadonlySet<TargetRefusal> = new Set(['semicolon', 'empty_segment', 'encoded_delimiter'])

/** How each laxity may be read: as it stands, or like this. */
const READINGS: Readonly<Record<Laxity, [sign: RegExp, read: (path: string) => string]>> = {
  'encoded-slash': [/%2f/i, (path) => path.replaceAll(/%2f/gi, '/')],
  semicolon: [/;/, (path) => path.replaceAll(/;[^/]*/g, '')],
  'double-slash': [/\/\//, (path) => path.replaceAll(/\/{2,}/g, '/')],
}

/**
 * What a refused target may be to an upstream that opted for laxer rules. Each way of reading it must itself be free of
 * everything that no route can allow, dot segments above all (`/a/..;/b`, `/a/..%2fb`).
 */
function checkWithLaxities(reason: TargetRefusal, raw: string, path: string): CheckedTarget {
  if (findRawFault(raw) !== undefined) return reject(reason)
  let readings = [path]
  const needs: Laxity[] = []
  for (const laxity of LAXITIES) {
    const [sign, read] = READINGS[laxity]
    if (!readings.some((reading) => sign.test(reading))) continue
    needs.push(laxity)
    readings = [...new Set(readings.flatMap((reading) => [reading, read(reading)]))]
  }
  const matches: string[] = []
  for (const reading of readings) {
    // To many a URL parser what follows is a host, so that `//x/admin` is `/admin`.
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

/** `decodeUnreserved` around what a laxity lets stand. */
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

/** What no part of a target may hold unescaped. */
function findRawFault(target: string): TargetRefusal | undefined {
  for (let at = 0; at < target.length; at++) {
    const code = target.charCodeAt(at)
    if (code <= 0x20 || code === 0x7f) return 'raw_control_or_space'
    if (code > 0x7f) return 'raw_non_ascii'
    if (code === FRAGMENT) return 'fragment'
  }
  return undefined
}

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

type Decoded = { ok: true; match: string } | { ok: false; reason: TargetRefusal }

/** Judges every escape of a path and decodes those of unreserved characters (RFC 3986 §2.3, less the dot). */
function decodeUnreserved(path: string): Decoded {
  let match = ''
  let copied = 0
  let at = path.indexOf('%')
  while (at !== -1) {
    match += path.slice(copied, at)
    const byte = escapeAt(path, at)
    if (byte === undefined) return reject('malformed_escape')
    if (byte < 0x20 || byte === 0x7f) return reject('encoded_control')
    if (byte < 0x80) {
      const character = String.fromCharCode(byte)
      if ('/\\.;%#?'.includes(character)) return reject('encoded_delimiter')
      match += /[\w~-]/.test(character) ? character : path.slice(at, at + 3).toUpperCase()
      copied = at + 3
    } else {
      const bytes = utf8Length(path, at, byte)
      if (bytes === 0) return reject('not_utf8')
      // C1 controls, U+0080 to U+009F
      if (byte === 0xc2 && escapeAt(path, at + 3)! < 0xa0) return reject('encoded_control')
      copied = at + 3 * bytes
      match += path.slice(at, copied).toUpperCase()
    }
    at = path.indexOf('%', copied)
  }
  return { ok: true, match: match + path.slice(copied) }
}

/** The byte that the escape at `at` stands for; undefined where there is no whole escape. */
function escapeAt(path: string, at: number): number | undefined {
  if (path.charCodeAt(at) !== PERCENT) return undefined
  const high = hexDigit(path.charCodeAt(at + 1))
  const low = hexDigit(path.charCodeAt(at + 2))
  return high < 0 || low < 0 ? undefined : high * 16 + low
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  const letter = code | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1
}

/**
 * How many escapes the character that begins at `at` takes, by the table of well-formed sequences (RFC 3629 §4), so
 * overlong forms, surrogates and lone or missing continuations give 0.
 */
function utf8Length(path: string, at: number, first: number): number {
  let bytes: number
  if (first >= 0xc2 && first <= 0xdf) bytes = 2
  else if (first >= 0xe0 && first <= 0xef) bytes = 3
  else if (first >= 0xf0 && first <= 0xf4) bytes = 4
  else return 0

  let lowest = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80
  let highest = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf
  for (let n = 1; n < bytes; n++) {
    const next = escapeAt(path, at + 3 * n)
    if (next === undefined || next < lowest || next > highest) return 0
    lowest = 0x80
    highest = 0xbf
  }
  return bytes
}

/** What of a target that some route took is forwarded, byte for byte. */
export function rawTarget(target: CheckedTarget): string {
  return target.ok ? target.raw : target.lax!.raw
}
