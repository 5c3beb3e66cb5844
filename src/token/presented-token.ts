/** Finds the access token of a request (RFC 6750 §2). A request may present at most one token, in one transport. */
import { PortcullisError } from '../errors.js'
import { cookieValues } from './token-cookies.js'
import { queryTokens } from './query-token.js'

/** The places that a token may come in. `accept.from` selects among them. */
export const TRANSPORTS = ['header', 'cookie', 'x-access-token', 'query', 'body'] as const

export type Transport = (typeof TRANSPORTS)[number]

/** A token as it came with a request. Nothing about it is verified. */
export interface PresentedToken {
  readonly token: string
  readonly transport: Transport
}

/** The transports that are searched for a token. Tokens in other places are ignored. */
export interface Transports {
  /** `Authorization: Bearer …` */
  readonly header: boolean
  /** The name of the cookie, or `undefined` if cookies are ignored. */
  readonly cookie: string | undefined
  /** The header `X-Access-Token`. */
  readonly xAccessToken: boolean
  /** The query parameter `access_token`. */
  readonly query: boolean
  /** The field `access_token` of the parsed body. */
  readonly body: boolean
}

/** The parts of a request that may contain a token, except for the body. */
export interface RequestHead {
  /**
   * Names and values alternately, as in Node's `rawHeaders`. Node's `headers` can't be used, because it keeps only the
   * first of several `Authorization` headers.
   */
  readonly rawHeaders: readonly string[]
  /** The request target: path and query as received. */
  readonly target: string
}

/** RFC 6750 §2.1, `b64token`. */
const B64TOKEN = /^[\w\-.~+/]+=*$/

/**
 * Returns the access token of a request, or `undefined` if the request has none.
 *
 * @param body The parsed body; `undefined` if it wasn't read.
 * @throws {PortcullisError} `credentials_ambiguous` for two tokens, even if they are equal; `token_malformed` for
 *   characters that no token has
 */
export function readPresentedToken(
  head: RequestHead,
  transports: Transports,
  body?: unknown,
): PresentedToken | undefined {
  const presented = findPresentedToken(head, transports, body)
  if (presented && !B64TOKEN.test(presented.token)) {
    throw new PortcullisError('token_malformed', { detail: 'Send it as `Authorization: Bearer <token>`.' })
  }
  return presented
}

/**
 * Does the same as `readPresentedToken`, but doesn't check the characters of the token. Use it if the token is verified
 * next: `TokenVerifier` checks the form of every token that it doesn't have in its cache.
 *
 * @throws {PortcullisError} `credentials_ambiguous`
 */
export function findPresentedToken(
  { rawHeaders, target }: RequestHead,
  transports: Transports,
  body?: unknown,
): PresentedToken | undefined {
  let found: PresentedToken | undefined
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!
    // Comparing the length first is cheap, and excludes most headers.
    if (name.length === 13 && transports.header && isNamed(name, 'Authorization')) {
      const token = parseBearer(rawHeaders[i + 1]!)
      if (token !== undefined) found = requireSingle(found, token, 'header')
    } else if (name.length === 6 && transports.cookie !== undefined && isNamed(name, 'Cookie')) {
      for (const token of cookieValues(rawHeaders[i + 1], transports.cookie))
        found = requireSingle(found, token, 'cookie')
    } else if (name.length === 14 && transports.xAccessToken && isNamed(name, 'X-Access-Token')) {
      found = requireSingle(found, rawHeaders[i + 1]!, 'x-access-token')
    }
  }
  if (transports.query) {
    for (const token of queryTokens(target)) found = requireSingle(found, token, 'query')
  }
  if (transports.body) for (const token of bodyTokens(body)) found = requireSingle(found, token, 'body')
  return found
}

/** Compares header names. Most clients use the usual spelling, which is compared without a lower-case copy. */
function isNamed(name: string, usual: string): boolean {
  return name === usual || name.toLowerCase() === usual.toLowerCase()
}

function requireSingle(
  found: PresentedToken | undefined,
  token: string,
  transport: Transport,
): PresentedToken {
  if (found === undefined) return { token, transport }
  throw new PortcullisError('credentials_ambiguous', {
    detail: 'Present one access token, in one place (RFC 6750 §2).',
  })
}

const SPACE = 0x20

/** Returns the text after the scheme `Bearer` (case-insensitive), or `undefined` if the scheme is another one. */
export function parseBearer(authorization: string): string | undefined {
  const scheme = authorization.slice(0, 6)
  if (scheme !== 'Bearer' && scheme.toLowerCase() !== 'bearer') return undefined
  if (authorization.length === 6) return ''
  if (authorization.charCodeAt(6) !== SPACE) return undefined
  let start = 7
  while (authorization.charCodeAt(start) === SPACE) start += 1
  return authorization.slice(start)
}

/**
 * Returns the tokens in a parsed body. Form parsers turn a repeated field into a list. A value that isn't a string
 * becomes '', which is never a valid token.
 */
function bodyTokens(body: unknown): string[] {
  if (typeof body !== 'object' || body === null || !Object.hasOwn(body, 'access_token')) return []
  const value = (body as Record<string, unknown>)['access_token']
  return (Array.isArray(value) ? value : [value]).map((one) => (typeof one === 'string' ? one : ''))
}
