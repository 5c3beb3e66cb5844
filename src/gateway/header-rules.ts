import { hasLoneSurrogate } from '../lone-surrogate.js'
import { ownCookies } from './gateway-cookies.js'
import type { OwnCookies } from './gateway-cookies.js'
import { REMOVED_FROM_REQUESTS, REMOVED_PREFIXES } from './removed-headers.js'
import { isPlainHost, pushForwarded } from './forwarded-headers.js'
import type { ForwardedClient } from './forwarded-headers.js'
import { withoutQueryTokens } from '../token/query-token.js'
import { RENEWED_HEADERS } from '../token/renewed-token.js'

/** The framing of a request's body (RFC 9112 §6), as validated by the server's parser. */
export type RequestFraming =
  | { readonly kind: 'none' }
  | { readonly kind: 'sized'; readonly bytes: number }
  | { readonly kind: 'chunked' }

/** The request headers for an upstream, or the reason why the request is refused. */
export type RequestHeaders =
  | {
      readonly ok: true
      /** The `Host` to send. If `undefined`, the upstream's own host. */
      readonly host: string | undefined
      /** Names and values in turn, without `Host` and without the framing headers. */
      readonly headers: string[]
      readonly framing: RequestFraming
    }
  | {
      readonly ok: false
      /** `identity_value` means that a claim has no exact header form. All other reasons are errors of the client. */
      readonly reason: 'host' | 'duplicate_host' | 'transfer_encoding' | 'content_length' | 'identity_value'
    }

export interface RequestHeaderOptions {
  readonly origin: ForwardedClient
  /** The value of `X-Forwarded-Prefix`, if the path of the route is replaced (`rewritePrefix`). */
  readonly prefix?: string | undefined
  /** The id of the route, for `CDN-Loop`. If absent, loops aren't recognized. */
  readonly hopId?: string | undefined
  /** The `Host` that the upstream receives: the client's (`keep`) or the upstream's own. */
  readonly host: 'keep' | 'upstream'
  /** The header, in lower case, that carried the accepted access token. It is not forwarded. */
  readonly drop: string | undefined
  /**
   * Returns true for an access token of ours. A client may send its token to any route, also to one that ignores tokens.
   * The upstream of such a route could use it. If absent, tokens are forwarded (`forwardToken`).
   */
  readonly isOwnToken?: ((token: string) => boolean) | undefined
  /** Values by header name, from the names given to `headerRules`. A header whose value is `undefined` is not sent. */
  readonly identity: Readonly<Record<string, string | undefined>>
}

/** Rules for the headers that pass the gateway. Headers are lists of names and values in turn. */
export interface HeaderRules {
  /** Returns the request headers for the upstream, from `IncomingMessage.rawHeaders`. */
  request(rawHeaders: readonly string[], options: RequestHeaderOptions): RequestHeaders
  /** Returns the response headers for the client, in the order and spelling of the upstream. */
  response(rawHeaders: readonly string[]): string[]
  /** Returns the trailers for the client, without fields that control the message (RFC 9110 §6.5.1). */
  trailers(rawTrailers: readonly string[]): [string, string][]
}

/** Headers that apply to a single connection (RFC 9110 §7.6.1). */
const HOP_BY_HOP = [
  'connection',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]
/**
 * Response headers that no upstream may send. A client stores the token of `X-Renewed-Access-Token` in place of its own,
 * so an upstream could put its clients into the session of somebody else.
 */
const REMOVED_FROM_RESPONSES: ReadonlySet<string> = new Set([...HOP_BY_HOP, ...RENEWED_HEADERS])
/**
 * Authentication schemes that authenticate a connection, not a request. Clients share the connections to an upstream.
 * With such a scheme, the next client on the connection would act as this one.
 */
const CONNECTION_AUTH = /^\s*(?:ntlm|negotiate|kerberos)\b/i
/** A value of visible ASCII characters, with spaces only between them. Most values match. */
const PLAIN_VALUE = /^[!-~](?:[ -~]*[!-~])?$/
const FORBIDDEN_IN_TRAILERS =
  /^(?:content-|set-cookie|cache-control|age|expires|date|vary|location|retry-after|host$|www-auth|auth)/

/**
 * Creates the header rules.
 *
 * @param options.identity Names of the identity headers. They are never forwarded from a client, on any route.
 * @param options.cookies Names of the gateway's own cookies. An upstream can neither read nor set them.
 * @param options.ownsCors The gateway decides which origins may read responses (`cors.origins`). An upstream's CORS
 *   headers are removed: together with the gateway's, they could allow an origin that neither of them allows alone.
 */
export function headerRules(options: {
  identity: readonly string[]
  cookies: readonly string[]
  ownsCors?: boolean
}): HeaderRules {
  const cookies = ownCookies(options.cookies)
  const stripped = new Set([...HOP_BY_HOP, ...REMOVED_FROM_REQUESTS, ...options.identity.map(flattenName)])
  const { ownsCors = false } = options
  const response = (raw: readonly string[]) => filterResponseHeaders(raw, cookies, ownsCors)
  return {
    request: (raw, requestOptions) => filterRequestHeaders(raw, requestOptions, stripped, cookies),
    response,
    trailers(raw) {
      const passed = response(raw)
      const trailers: [string, string][] = []
      for (let at = 0; at < passed.length; at += 2) {
        if (!FORBIDDEN_IN_TRAILERS.test(passed[at]!.toLowerCase()))
          trailers.push([passed[at]!, passed[at + 1]!])
      }
      return trailers
    },
  }
}

/**
 * Returns the same name for all spellings that an upstream may treat as the same header. CGI and similar interfaces
 * replace every character that is not a letter or a digit with `_`.
 */
export function flattenName(name: string): string {
  const lower = name.toLowerCase()
  return /[^a-z0-9-]/.test(lower) ? lower.replace(/[^a-z0-9]/g, '-') : lower
}

function filterRequestHeaders(
  raw: readonly string[],
  options: RequestHeaderOptions,
  stripped: ReadonlySet<string>,
  cookies: OwnCookies,
): RequestHeaders {
  const headers: string[] = []
  const connectionHeaders = findConnectionHeaders(raw)
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
      // Node decodes only `chunked`. Data in another coding would reach the upstream without the header that names it.
      if (value.toLowerCase() !== 'chunked' || framing.kind !== 'none')
        return { ok: false, reason: 'transfer_encoding' }
      framing = { kind: 'chunked' }
    } else if (lower === 'content-length') {
      if (!/^[0-9]{1,15}$/.test(value) || framing.kind !== 'none')
        return { ok: false, reason: 'content_length' }
      framing = { kind: 'sized', bytes: Number(value) }
    } else {
      const flat = flattenName(name)
      if (stripped.has(flat) || REMOVED_PREFIXES.test(flat)) continue
      if (connectionHeaders?.has(lower) || flat === 'content-length') continue
      if (lower === options.drop) continue
      const kept =
        lower === 'cookie' ? cookies.strip(value) : withoutOwnToken(flat, value, options.isOwnToken)
      if (kept !== undefined) headers.push(name, kept)
    }
  }
  if (host !== undefined && !isPlainHost(host)) return { ok: false, reason: 'host' }

  pushForwarded(headers, options.origin, options.prefix)
  if (options.hopId !== undefined) headers.push('CDN-Loop', options.hopId)
  return pushIdentity(headers, options.identity)
    ? { ok: true, host: options.host === 'keep' ? host : undefined, headers, framing }
    : { ok: false, reason: 'identity_value' }
}

/** Returns the value of a header without a token of ours, or `undefined` if the header must not be forwarded. */
function withoutOwnToken(
  flat: string,
  value: string,
  isOwnToken: RequestHeaderOptions['isOwnToken'],
): string | undefined {
  if (flat === 'authorization') {
    if (CONNECTION_AUTH.test(value)) return undefined
    // Some servers are lax about the space after the scheme (RFC 9110 §11.4), or accept other schemes.
    return isOwnToken !== undefined && value.split(/[\s,]+/).some(isOwnToken) ? undefined : value
  }
  if (isOwnToken === undefined) return value
  if (flat === 'x-access-token') return isOwnToken(value) ? undefined : value
  // The URL of the page on which a link was followed.
  return flat === 'referer' ? withoutQueryTokens(value, isOwnToken) : value
}

/**
 * Appends the identity headers in UTF-8. Returns false if a value can't be sent without being trimmed, cut or split.
 */
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

/**
 * Returns the header form of a claim's value: its UTF-8 bytes as a Latin-1 string, because Node sends headers as
 * Latin-1. Returns `undefined` if a header can't carry the value unchanged.
 */
export function identityValue(value: string): string | undefined {
  if (PLAIN_VALUE.test(value)) return value
  // oxlint-disable-next-line no-control-regex
  if (value.trim() !== value || /[\0-\x1f\x7f]/.test(value) || hasLoneSurrogate(value)) return undefined
  return Buffer.from(value, 'utf8').toString('latin1')
}

function filterResponseHeaders(raw: readonly string[], cookies: OwnCookies, ownsCors: boolean): string[] {
  const headers: string[] = []
  const connectionHeaders = findConnectionHeaders(raw)
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at]!
    const value = raw[at + 1]!
    const lower = name.toLowerCase()
    if (REMOVED_FROM_RESPONSES.has(lower) || lower.startsWith('proxy-')) continue
    if (connectionHeaders?.has(lower) && lower !== 'content-length') continue
    if (lower === 'set-cookie' && cookies.sets(value)) continue
    if (lower === 'www-authenticate' && CONNECTION_AUTH.test(value)) continue
    if (ownsCors && lower.startsWith('access-control-') && lower !== 'access-control-expose-headers') continue
    headers.push(name, value)
  }
  return headers
}

/**
 * Returns the header names that `Connection` lists (RFC 9110 §7.6.1), in lower case, or `undefined` if there are
 * none.
 */
function findConnectionHeaders(headers: readonly string[]): Set<string> | undefined {
  let names: Set<string> | undefined
  for (let at = 0; at < headers.length; at += 2) {
    if (headers[at]!.length !== 10 || headers[at]!.toLowerCase() !== 'connection') continue
    const value = headers[at + 1]!.toLowerCase()
    // The fast path: most `Connection` headers list no header name.
    if (value === 'keep-alive' || value === 'close') continue
    names ??= new Set()
    for (const name of value.split(',')) names.add(name.trim())
  }
  return names
}
