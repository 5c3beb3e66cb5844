/**
 * The cookie transport: names, how they are set, and how they are read (RFC 6265, RFC 6265bis §4.1.3 for the
 * prefixes).
 */
import type { UnixSeconds } from '../clock.js'

export interface CookieSettings {
  readonly enabled: boolean
  /** false: for http in development; the cookies then have plain names. */
  readonly secure: boolean
}

export interface CookieNames {
  readonly access: string
  readonly refresh: string
}

/** `__Host-` binds a cookie to this host and all its paths; `__Secure-` leaves the path free. */
export function cookieNames({ secure }: CookieSettings): CookieNames {
  return secure
    ? { access: '__Host-access', refresh: '__Secure-refresh' }
    : { access: 'access', refresh: 'refresh' }
}

/** Every value that the `Cookie` header has for a name, in its order. */
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
 * Spaces and tabs alone (RFC 6265 §5.2): `trim` takes more, so that a cookie that a neighbouring site set past the
 * prefix, with a no-break space before `__Host-`, would become ours.
 */
function trimBlanks(text: string): string {
  let [start, end] = [0, text.length]
  while (text[start] === ' ' || text[start] === '\t') start++
  while (end > start && (text[end - 1] === ' ' || text[end - 1] === '\t')) end--
  return text.slice(start, end)
}

/** `Set-Cookie` lines for the two tokens; `maxAge` 0 deletes them. The refresh cookie goes to our own routes only. */
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

/** `Set-Cookie` lines that delete both. */
export function clearCookies(settings: CookieSettings, prefix: string): string[] {
  const gone = { value: '', maxAge: 0 }
  return setCookies(settings, prefix, gone, gone)
}
