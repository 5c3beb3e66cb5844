import { METHODS } from 'node:http'
import { hasControls, readString, readText } from './values.js'
import type { Read } from './values.js'
import { flattenName } from '../gateway/header-rules.js'
import { refuse } from './config-error.js'

const PREFIX_SEGMENT = /^[\w.~-]+$/
/** Characters of a segment (pchar, RFC 3986 §3.3) without escapes, `;` and `*`, so that a path has only one spelling. */
const ROUTE_SEGMENT = /^[\w.~!$&'()+,=:@-]+$/
/** A token (RFC 9110 §5.6.2) that begins with a letter or a digit. */
const HEADER_NAME = /^[A-Za-z0-9][!#$%&'*+.^_`|~\w-]*$/

/** Flattened names of headers for framing, one hop, credentials or the gateway itself. None can carry identity. */
const TAKEN_HEADERS = new Set(
  `connection keep-alive proxy-connection proxy-authenticate proxy-authorization te trailer transfer-encoding upgrade
   host content-length content-type expect cookie set-cookie authorization
   forwarded x-forwarded-for x-forwarded-proto x-forwarded-host x-forwarded-port x-real-ip`.split(/\s+/),
)

/** Reads the path prefix of Portcullis's own routes. */
export const readPrefix: Read<string> = (raw, shown) =>
  readPlainPath(raw, shown, 'is not a prefix; write one such as /auth')

/** Reads the path of one of Portcullis's own pages. */
export const readPagePath: Read<string> = (raw, shown) =>
  readPlainPath(raw, shown, 'is not the path of a page; write one such as /login')

function readPlainPath(raw: unknown, shown: string, mistake: string): string {
  const text = readString(raw, shown)
  if (!text.startsWith('/') || text === '/') refuse(`${shown} ${mistake}`)
  if (text.endsWith('/')) refuse(`${shown} ends with a slash; remove it`)
  if (!segments(text).every((segment) => PREFIX_SEGMENT.test(segment) && !isDots(segment))) {
    refuse(`${shown} has a segment with other characters; use letters, digits and - . _ ~`)
  }
  return text
}

/** Reads the path of a route, which also covers every path beneath it, by whole segments. */
export const readRoutePath: Read<string> = (raw, shown) => {
  const text = readString(raw, shown)
  if (!text.startsWith('/')) refuse(`${shown} does not begin with a slash; write a path such as /posts`)
  if (text === '/') return text
  if (text.includes('*'))
    refuse(`${shown} contains *; remove it, because a path covers everything beneath it`)
  if (/[?#]/.test(text)) refuse(`${shown} contains a query or a fragment; write only the path`)
  if (text.includes('//')) refuse(`${shown} contains an empty segment; write single slashes`)
  if (text.endsWith('/'))
    refuse(`${shown} ends with a slash; remove it, because a path covers everything beneath it`)
  if (segments(text).some(isDots))
    refuse(`${shown} contains a dot segment; write the path that it resolves to`)
  if (!segments(text).every((segment) => ROUTE_SEGMENT.test(segment))) {
    refuse(`${shown} has an ambiguous segment; remove escapes, backslashes, ; and non-ASCII characters`)
  }
  return text
}

export const readMethod: Read<string> = (raw, shown) => {
  const text = readString(raw, shown)
  if (text === 'TRACE' || text === 'CONNECT') refuse(`${shown} is never forwarded; remove it`)
  if (METHODS.includes(text)) return text
  const upper = text.toUpperCase()
  return refuse(
    METHODS.includes(upper)
      ? `${shown} must be in capitals; write ${upper}`
      : `${shown} is not an HTTP method; write one such as GET or POST`,
  )
}

/** Reads one scope (`scope-token`, RFC 6749 §3.3). */
export const readScope: Read<string> = (raw, shown) => {
  const text = readString(raw, shown)
  if (!/^[\x21\x23-\x5b\x5d-\x7e]+$/.test(text)) {
    refuse(`${shown} is not one scope; write one list item per scope, without spaces, quotes or backslashes`)
  }
  return text
}

/** Reads the name of a header that may carry identity. */
export const readHeaderName: Read<string> = (raw, shown) => {
  const text = readString(raw, shown)
  if (!HEADER_NAME.test(text)) refuse(`${shown} is not a header name; use letters, digits and hyphens`)
  if (TAKEN_HEADERS.has(flattenName(text)))
    refuse(`${shown} can’t carry identity; choose another name, such as X-User`)
  return text
}

/** Reads the login page: a path on this origin, or an http(s) URL. */
export const readLoginPage: Read<string> = (raw, shown) => {
  const text = readString(raw, shown)
  const isPath = /^\/(?![/\\])[\x21-\x7e]*$/.test(text)
  const isUrl = /^https?:\/\/[^/\\\s@]+(\/[\x21-\x7e]*)?$/i.test(text) && URL.canParse(text)
  if ((!isPath && !isUrl) || text.includes('#') || text.includes('\\')) {
    refuse(`${shown} is not a page; write a path such as /login, or a URL such as https://login.example.com/`)
  }
  return text
}

/** Reads a mapping of headers for the upstream, each with a claim or a template. */
export const readIdentityHeaders: Read<Record<string, string>> = (raw, shown) => {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
    return refuse(`${shown} is not a mapping; write headers with claims, such as {"X-Forwarded-User": "sub"}`)
  }
  const seen = new Map<string, string>()
  for (const [name, claim] of Object.entries(raw)) {
    const quoted = JSON.stringify(name)
    const flat = flattenName(readHeaderName(name, quoted, {}))
    if (seen.has(flat))
      refuse(`${quoted} and ${seen.get(flat)} are the same header for many servers; keep one`)
    seen.set(flat, JSON.stringify(name))
    if (typeof claim !== 'string' || !isTemplate(claim)) {
      refuse(`${quoted} needs the name of a claim, such as sub, or a template, such as {sub}@{tenant}`)
    }
  }
  return Object.freeze(Object.fromEntries(Object.entries(raw)))
}

/** Returns true if the text is the name of a claim, or a template with such names in braces. */
function isTemplate(text: string): boolean {
  const isBraced = /[{}]/.test(text)
  const names = isBraced ? [...text.matchAll(/\{([^{}]*)\}/g)].map(([, name = '']) => name) : [text]
  const around = isBraced ? text.replace(/\{[^{}]*\}/g, '') : ''
  return (
    text.length <= 512 &&
    /^[\x20-\x7e]*$/.test(around) &&
    !/[{}]/.test(around) &&
    text.trim() === text &&
    names.length > 0 &&
    names.every((name) => /^[^\s"\\]{1,128}$/.test(name) && !hasControls(name) && name !== '__proto__')
  )
}

/** Reads the prefix of Redis keys. It is also a hash tag in a cluster, and a part of SCAN patterns. */
export const readKeyPrefix: Read<string> = (raw, shown) => {
  const text = readText(raw, shown, {})
  if (text.length > 64) refuse(`${shown} is too long; at most 64 characters`)
  if (/[\s{}*?[\]\\]/.test(text))
    refuse(`${shown} contains a space, a brace or one of * ? [ ] \\; use letters, digits, - and :`)
  return text
}

function segments(path: string): string[] {
  return path.slice(1).split('/')
}

function isDots(segment: string): boolean {
  return segment === '.' || segment === '..'
}

/** Reads the name of a decorator of the host's application, or `false` for none. */
export const readDecoratorName: Read<string | false> = (raw, shown) => {
  if (raw === false) return false
  const text = readString(raw, shown)
  if (!/^[A-Za-z_$][\w$]*$/.test(text))
    refuse(`${shown} is not a name; write one such as authenticate, or false`)
  return text
}
