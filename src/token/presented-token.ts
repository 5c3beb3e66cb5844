/** Finds the access token of a request (RFC 6750 §2): in one transport, once, or not at all. */
import { PortcullisError } from '../errors.js'
import { cookieValues } from './token-cookies.js'
import { queryTokens } from './query-token.js'

/** Where a token may come in; `accept.from` names them. */
export const TRANSPORTS = ['header', 'cookie', 'x-access-token', 'query', 'body'] as const

export type Transport = (typeof TRANSPORTS)[number]

export interface PresentedToken {
  readonly token: string
  readonly transport: Transport
}

/** Where a token is looked for. What isn't listed isn't looked at. */
export interface Transports {
  /** `Authorization: Bearer …` */
  readonly header: boolean
  /** The cookie's name. */
  readonly cookie: string | undefined
  /** The header `X-Access-Token`. */
  readonly xAccessToken: boolean
  /** The parameter `access_token`. */
  readonly query: boolean
  /** The field `access_token` of a body that was parsed. */
  readonly body: boolean
}

/** What is read of a request, as Node has it. */
export interface RequestHead {
  /**
   * Names and values in turn. Of several headers with one name Node's own object keeps the first, and drops the rest.
   */
  readonly rawHeaders: readonly string[]
  /** Path and query as the client sent them. */
  readonly target: string
}

/** RFC 6750 §2.1, `b64token`. */
const B64TOKEN = /^[\w\-.~+/]+=*$/

/**
 * The access token of a request, or undefined if it brings none.
 *
 * @param body As a parser left it; undefined where it wasn't read.
 * @throws {PortcullisError} `credentials_ambiguous` for two tokens, equal or not; `token_malformed` for what can't be one.
 */
export function readPresentedToken(
  head: RequestHead,
  transports: Transports,
  body?: unknown,
): PresentedToken | undefined {
  const credentials = findPresentedToken(head, transports, body)
  if (credentials && !B64TOKEN.test(credentials.token)) {
    throw new PortcullisError('token_malformed', { detail: 'The form is: Authorization: Bearer <token>.' })
  }
  return credentials
}

/**
 * As `readAccessToken`, for who has the token judged next: its form isn't looked at, which the verdict does where it
 * doesn't know the token already.
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
    // The length first: most headers are others.
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

/** Mostly it is spelt as here, which costs no copy. */
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

/** What stands after the scheme `Bearer`, in any case; undefined for another scheme. */
function parseBearer(authorization: string): string | undefined {
  const scheme = authorization.slice(0, 6)
  if (scheme !== 'Bearer' && scheme.toLowerCase() !== 'bearer') return undefined
  if (authorization.length === 6) return ''
  if (authorization.charCodeAt(6) !== SPACE) return undefined
  let start = 7
  while (authorization.charCodeAt(start) === SPACE) start += 1
  return authorization.slice(start)
}

/** A parser makes a list of a field that is there twice. What is no text is no token. */
function bodyTokens(body: unknown): string[] {
  if (typeof body !== 'object' || body === null || !Object.hasOwn(body, 'access_token')) return []
  const value = (body as Record<string, unknown>)['access_token']
  return (Array.isArray(value) ? value : [value]).map((one) => (typeof one === 'string' ? one : ''))
}
