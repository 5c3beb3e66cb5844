/** Names, sets and reads the token cookies (RFC 6265; prefixes: RFC 6265bis §4.1.3). */
import type { UnixSeconds } from '../clock.js'
import { PortcullisError } from '../errors.js'

export interface CookieSettings {
  readonly enabled: boolean
  /** `false` is for http in development. The cookies then have names without a prefix. */
  readonly secure: boolean
  /** Default: `lax`. */
  readonly sameSite?: SameSite
  /** The path of the refresh cookie. Default: the path prefix of Portcullis' own routes. */
  readonly path?: string | undefined
  /** The domain that shares the cookies with its subdomains. Default: only the host of the request gets them. */
  readonly domain?: string | undefined
}

export const SAME_SITE = ['lax', 'strict', 'none'] as const
export type SameSite = (typeof SAME_SITE)[number]

/** A cookie to set. */
export interface NewCookie {
  readonly value: string
  /** In seconds; 0 deletes the cookie. `undefined` makes it a session cookie, which ends with the browser. */
  readonly maxAge: UnixSeconds | undefined
}

export interface CookieNames {
  readonly access: string
  readonly refresh: string
}

/**
 * Returns the cookie names. `__Host-` requires `Path=/` and excludes `Domain`. `__Secure-` allows any path and domain.
 */
export function cookieNames({ secure, domain }: CookieSettings): CookieNames {
  if (!secure) return { access: 'access', refresh: 'refresh' }
  return { access: domain === undefined ? '__Host-access' : '__Secure-access', refresh: '__Secure-refresh' }
}

/** Returns every value of a cookie in the `Cookie` header, in order. */
export function cookieValues(header: string | undefined, name: string): string[] {
  if (header === undefined || !header.includes(name)) return []
  const values: string[] = []
  for (const pair of header.split(';')) {
    const equals = pair.indexOf('=')
    if (equals > 0 && trimBlanks(pair.slice(0, equals)) === name)
      values.push(trimBlanks(pair.slice(equals + 1)))
  }
  return values
}

/**
 * Trims spaces and tabs only (RFC 6265 §5.2). `String.trim` also removes other blanks, such as the no-break space. A
 * neighbouring site could set a cookie with a no-break space before `__Host-`: the browser doesn't apply the rules of
 * the prefix to it, and after `String.trim` it would be read as the real cookie.
 */
function trimBlanks(text: string): string {
  let [start, end] = [0, text.length]
  while (text[start] === ' ' || text[start] === '\t') start++
  while (end > start && (text[end - 1] === ' ' || text[end - 1] === '\t')) end--
  return text.slice(start, end)
}

/**
 * Returns the `Set-Cookie` values for the tokens. Browsers send the refresh cookie only to Portcullis' own routes.
 *
 * @param prefix The path prefix of these routes, such as `/auth`.
 * @param refresh `undefined` in the single scheme.
 */
export function setCookies(
  settings: CookieSettings,
  prefix: string,
  access: NewCookie,
  refresh: NewCookie | undefined,
): string[] {
  const { secure, sameSite = 'lax', path = prefix, domain } = settings
  const names = cookieNames(settings)
  const flags = [
    ...(domain === undefined ? [] : [`Domain=${domain}`]),
    'HttpOnly',
    `SameSite=${sameSite[0]!.toUpperCase()}${sameSite.slice(1)}`,
    ...(secure ? ['Secure'] : []),
  ]
  const set = (name: string, { value, maxAge }: NewCookie, on: string) =>
    [`${name}=${value}`, ...(maxAge === undefined ? [] : [`Max-Age=${maxAge}`]), `Path=${on}`, ...flags].join(
      '; ',
    )
  return [set(names.access, access, '/'), ...(refresh ? [set(names.refresh, refresh, path)] : [])]
}

/** Returns the `Set-Cookie` values that delete both cookies. */
export function clearCookies(settings: CookieSettings, prefix: string): string[] {
  const expired = { value: '', maxAge: 0 }
  return setCookies(settings, prefix, expired, expired)
}

/** Maximum length of a cookie in browsers: its name, value and attributes, in bytes (RFC 6265 §6.1). */
const MAX_COOKIE_LENGTH = 4_096
/** Has as many digits as the longest lifetime that can be configured. */
const LONGEST_MAX_AGE = 999_999_999

/**
 * Throws if browsers would drop the cookie with this access token, which they do without an error. The client would then
 * be logged out, although its login returned 200.
 *
 * @throws {PortcullisError} `internal_error`, because the claims of the host are too large
 */
export function requireCookieFits(settings: CookieSettings, prefix: string, accessToken: string): void {
  const access = { value: accessToken, maxAge: LONGEST_MAX_AGE }
  const length = Buffer.byteLength(setCookies(settings, prefix, access, access)[0]!)
  if (length <= MAX_COOKIE_LENGTH) return
  const detail = `The access token would be a cookie of ${length.toLocaleString('en')} bytes, and browsers drop cookies of more than 4,096. Give the subject fewer or shorter claims, or log in without cookies.`
  throw new PortcullisError('internal_error', { detail, cause: new TypeError(detail) })
}
