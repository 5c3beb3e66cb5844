/** Names, sets and reads the token cookies (RFC 6265; prefixes: RFC 6265bis §4.1.3). */
import type { UnixSeconds } from '../clock.js'

export interface CookieSettings {
  readonly enabled: boolean
  /** `false` is for http in development. The cookies then have names without a prefix. */
  readonly secure: boolean
}

export interface CookieNames {
  readonly access: string
  readonly refresh: string
}

/**
 * Returns the cookie names. `__Host-` requires `Path=/`, so the refresh cookie has `__Secure-`, which allows any path.
 */
export function cookieNames({ secure }: CookieSettings): CookieNames {
  return secure
    ? { access: '__Host-access', refresh: '__Secure-refresh' }
    : { access: 'access', refresh: 'refresh' }
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
 * Returns the `Set-Cookie` values for the two tokens. Browsers send the refresh cookie only to Portcullis' own routes.
 *
 * @param prefix The path prefix of these routes, such as `/auth`.
 * @param access Its `maxAge` is in seconds; 0 deletes the cookie. So is that of `refresh`.
 */
export function setCookies(
  settings: CookieSettings,
  prefix: string,
  access: { value: string; maxAge: UnixSeconds },
  refresh: { value: string; maxAge: UnixSeconds },
): string[] {
  const names = cookieNames(settings)
  const flags = `HttpOnly; SameSite=Lax${settings.secure ? '; Secure' : ''}`
  return [
    `${names.access}=${access.value}; Max-Age=${access.maxAge}; Path=/; ${flags}`,
    `${names.refresh}=${refresh.value}; Max-Age=${refresh.maxAge}; Path=${prefix}; ${flags}`,
  ]
}

/** Returns the `Set-Cookie` values that delete both cookies. */
export function clearCookies(settings: CookieSettings, prefix: string): string[] {
  const expired = { value: '', maxAge: 0 }
  return setCookies(settings, prefix, expired, expired)
}
