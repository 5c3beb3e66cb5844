/** Finds faults of a request target: the parts that are invalid, or that servers may read in different ways. */

/** The reason why a request target is refused. */
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

const FRAGMENT = 0x23
const PERCENT = 0x25
const DOT = 0x2e
const SLASH = 0x2f
const SEMICOLON = 0x3b
const BACKSLASH = 0x5c

/** Returns the reason to refuse a target with a character that must be escaped everywhere, or `undefined`. */
export function findRawFault(target: string): TargetRefusal | undefined {
  for (let at = 0; at < target.length; at++) {
    const code = target.charCodeAt(at)
    if (code <= 0x20 || code === 0x7f) return 'raw_control_or_space'
    if (code > 0x7f) return 'raw_non_ascii'
    if (code === FRAGMENT) return 'fragment'
  }
  return undefined
}

/**
 * Returns the reason to refuse a path with a backslash, a semicolon, an empty segment or a dot segment, or `undefined`.
 * A slash at the end is accepted.
 *
 * @param path Starts with a slash, and has no query.
 */
export function findStructureFault(path: string): TargetRefusal | undefined {
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

/** The path in the form that is matched with routes, or the reason why it is refused. */
export type DecodeResult = { ok: true; match: string } | { ok: false; reason: TargetRefusal }

/**
 * Checks all escapes of a path, and decodes those of unreserved characters (RFC 3986 §2.3). Refuses a malformed escape,
 * invalid UTF-8, and an escaped dot, delimiter (one of `/\;%#?`) or control character.
 */
export function decodeUnreserved(path: string): DecodeResult {
  let match = ''
  let copied = 0
  let at = path.indexOf('%')
  while (at !== -1) {
    match += path.slice(copied, at)
    const byte = readEscape(path, at)
    if (byte === undefined) return fault('malformed_escape')
    if (byte < 0x20 || byte === 0x7f) return fault('encoded_control')
    if (byte < 0x80) {
      const character = String.fromCharCode(byte)
      if ('/\\.;%#?'.includes(character)) return fault('encoded_delimiter')
      match += /[\w~-]/.test(character) ? character : path.slice(at, at + 3).toUpperCase()
      copied = at + 3
    } else {
      const bytes = countUtf8Escapes(path, at, byte)
      if (bytes === 0) return fault('not_utf8')
      // C1 control characters: U+0080 to U+009F.
      if (byte === 0xc2 && readEscape(path, at + 3)! < 0xa0) return fault('encoded_control')
      copied = at + 3 * bytes
      match += path.slice(at, copied).toUpperCase()
    }
    at = path.indexOf('%', copied)
  }
  return { ok: true, match: match + path.slice(copied) }
}

/** Returns the byte of the escape that starts at index `at`, or `undefined` if no complete escape starts there. */
export function readEscape(path: string, at: number): number | undefined {
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
 * Returns the number of escapes that form the non-ASCII character at index `at`. Returns 0 if they are not well-formed
 * UTF-8 (RFC 3629 §4): overlong forms, surrogates, and unexpected or missing continuation bytes.
 *
 * @param first The byte of the escape at `at`.
 */
export function countUtf8Escapes(path: string, at: number, first: number): number {
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

function fault(reason: TargetRefusal): { ok: false; reason: TargetRefusal } {
  return { ok: false, reason }
}
