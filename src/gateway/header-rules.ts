import { ownCookies } from './gateway-cookies.js'
import type { OwnCookies } from './gateway-cookies.js'
import { isPlainHost, pushForwarded } from './forwarded-headers.js'
import type { ForwardedClient } from './forwarded-headers.js'

/** How the body of a request is delimited (RFC 9112 §6), as the server's parser has validated it. */
export type RequestFraming =
  | { readonly kind: 'none' }
  | { readonly kind: 'sized'; readonly bytes: number }
  | { readonly kind: 'chunked' }

export type RequestHeaders =
  | {
      readonly ok: true
      /** Undefined: the upstream's own. */
      readonly host: string | undefined
      /** Without `Host`, and without what frames the body. */
      readonly headers: string[]
      readonly framing: RequestFraming
    }
  | {
      readonly ok: false
      /** `identity_value`: a claim that no header can carry unchanged; all others are the client's doing. */
      readonly reason: 'host' | 'duplicate_host' | 'transfer_encoding' | 'content_length' | 'identity_value'
    }

export interface RequestHeaderOptions {
  readonly origin: ForwardedClient
  /** What `Host` the upstream sees: the client's, or its own. */
  readonly host: 'keep' | 'upstream'
  /** The header, in lower case, whose access token was accepted and must not travel on. */
  readonly drop: string | undefined
  /** Header name → value, by names given to `headerRules`; undefined sends none. */
  readonly identity: Readonly<Record<string, string | undefined>>
}

export interface HeaderRules {
  /** What to send upstream, as name, value, name, value…, from `IncomingMessage.rawHeaders`. */
  request(rawHeaders: readonly string[], options: RequestHeaderOptions): RequestHeaders
  /** What to send to the client, in the upstream's order and spelling. */
  response(rawHeaders: readonly string[]): string[]
  /** The same for trailers, which may not carry fields that steer a message (RFC 9110 §6.5.1). */
  trailers(rawTrailers: readonly string[]): [string, string][]
}

/** Meant for this connection alone (RFC 9110 §7.6.1), or answered by this gateway (`Expect`). */
const HOP_BY_HOP = [
  'connection',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]
/** `Proxy` because CGI turns it into the variable HTTP_PROXY. */
const CLIENT_MAY_NOT_SAY = [
  'expect',
  'proxy',
  'forwarded',
  'x-real-ip',
  'x-method-override',
  'http-method-override',
]
const CLIENT_PREFIXES = /^(?:proxy-|x-forwarded(?:-|$)|x-original-|x-rewrite-|x-http-method(?:-|$))/
/**
 * Schemes whose credentials hold for the connection, not for the request: as connections to an upstream are shared,
 * the next client would be taken for this one.
 */
const BOUND = /^\s*(?:ntlm|negotiate|kerberos)\b/i
/** Visible ASCII, with spaces inside at most: what most values are. */
const PLAIN = /^[!-~](?:[ -~]*[!-~])?$/
const LONE_SURROGATE = /\p{Surrogate}/u
const NOT_IN_TRAILERS =
  /^(?:content-|set-cookie|cache-control|age|expires|date|vary|location|retry-after|host$|www-auth|auth)/

/**
 * @param identity The names of the identity headers: taken from no client, on no route.
 * @param cookies The names of the gateway's own cookies, which no upstream sees or sets.
 */
export function headerRules(options: {
  identity: readonly string[]
  cookies: readonly string[]
}): HeaderRules {
  const cookies = ownCookies(options.cookies)
  const stripped = new Set([...HOP_BY_HOP, ...CLIENT_MAY_NOT_SAY, ...options.identity.map(flattenName)])
  const response = (raw: readonly string[]) => responseHeaders(raw, cookies)
  return {
    request: (raw, requestOptions) => requestHeaders(raw, requestOptions, stripped, cookies),
    response,
    trailers(raw) {
      const passed = response(raw)
      const trailers: [string, string][] = []
      for (let at = 0; at < passed.length; at += 2) {
        if (!NOT_IN_TRAILERS.test(passed[at]!.toLowerCase())) trailers.push([passed[at]!, passed[at + 1]!])
      }
      return trailers
    },
  }
}

/**
 * One name for all spellings that some server takes for the same header: CGI and its kin read every sign that is
 * neither letter nor digit as `_`.
 */
export function flattenName(name: string): string {
  const lower = name.toLowerCase()
  return /[^a-z0-9-]/.test(lower) ? lower.replace(/[^a-z0-9]/g, '-') : lower
}

function requestHeaders(
  raw: readonly string[],
  options: RequestHeaderOptions,
  stripped: ReadonlySet<string>,
  cookies: OwnCookies,
): RequestHeaders {
  const headers: string[] = []
  const nominated = findConnectionHeaders(raw)
  let framing: RequestFraming = { kind: 'none' }
  let host: string | undefined
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at]!
    const value = raw[at + 1]!
    const lower = name.toLowerCase()
    if (lower === 'host') {
      if (host !== undefined) return { ok: false, reason: 'duplicate_host' }
      host = value
    } else if (lower === 'transfer-encoding') {
      // Any other coding would reach the upstream as plain bytes.
      if (value.toLowerCase() !== 'chunked' || framing.kind !== 'none')
        return { ok: false, reason: 'transfer_encoding' }
      framing = { kind: 'chunked' }
    } else if (lower === 'content-length') {
      if (!/^[0-9]{1,15}$/.test(value) || framing.kind !== 'none')
        return { ok: false, reason: 'content_length' }
      framing = { kind: 'sized', bytes: Number(value) }
    } else {
      const flat = flattenName(name)
      if (stripped.has(flat) || CLIENT_PREFIXES.test(flat)) continue
      if (nominated?.has(lower) || flat === 'content-length') continue
      if (lower === options.drop || (lower === 'authorization' && BOUND.test(value))) continue
      const kept = lower === 'cookie' ? cookies.strip(value) : value
      if (kept !== undefined) headers.push(name, kept)
    }
  }
  if (host !== undefined && host !== '' && !isPlainHost(host)) return { ok: false, reason: 'host' }

  pushForwarded(headers, options.origin)
  return pushIdentity(headers, options.identity)
    ? { ok: true, host: options.host === 'keep' ? host : undefined, headers, framing }
    : { ok: false, reason: 'identity_value' }
}

/** Appends the identity in UTF-8. Says false where a value would arrive as another one: trimmed, cut, or split. */
function pushIdentity(headers: string[], identity: RequestHeaderOptions['identity']): boolean {
  for (const name in identity) {
    const value = identity[name]
    if (value === undefined) continue
    const text = identityValue(value)
    if (text === undefined) return false
    headers.push(name, text)
  }
  return true
}

/** A claim's value as Node sends it, its UTF-8 as Latin-1; undefined where no header can carry it unchanged. */
export function identityValue(value: string): string | undefined {
  if (PLAIN.test(value)) return value
  // oxlint-disable-next-line no-control-regex
  if (value.trim() !== value || /[\0-\x1f\x7f]/.test(value) || LONE_SURROGATE.test(value)) return undefined
  return Buffer.from(value, 'utf8').toString('latin1')
}

function responseHeaders(raw: readonly string[], cookies: OwnCookies): string[] {
  const headers: string[] = []
  const nominated = findConnectionHeaders(raw)
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at]!
    const value = raw[at + 1]!
    const lower = name.toLowerCase()
    if (HOP_BY_HOP.includes(lower) || lower.startsWith('proxy-')) continue
    if (nominated?.has(lower) && lower !== 'content-length') continue
    if (lower === 'set-cookie' && cookies.sets(value)) continue
    if (lower === 'www-authenticate' && BOUND.test(value)) continue
    headers.push(name, value)
  }
  return headers
}

/** The header names that `Connection` gives, in lower case. */
function findConnectionHeaders(headers: readonly string[]): Set<string> | undefined {
  let names: Set<string> | undefined
  for (let at = 0; at < headers.length; at += 2) {
    if (headers[at]!.length !== 10 || headers[at]!.toLowerCase() !== 'connection') continue
    const value = headers[at + 1]!.toLowerCase()
    // Mostly it names none.
    if (value === 'keep-alive' || value === 'close') continue
    names ??= new Set()
    for (const name of value.split(',')) names.add(name.trim())
  }
  return names
}
