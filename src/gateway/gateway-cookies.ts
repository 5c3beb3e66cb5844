/** Keeps the gateway's own cookies between the gateway and the browser. */
export interface OwnCookies {
  /** A `Cookie` value without the own cookies, the others byte for byte; undefined where nothing is left. */
  strip(cookie: string): string | undefined
  /** Whether a `Set-Cookie` value would set one of the own cookies. */
  sets(setCookie: string): boolean
}

const PREFIX = /^__(?:host|secure)-/

/**
 * @param names The gateway's cookies. Each is known in any case, and also with the prefixes `__Host-` and `__Secure-`,
 * which browsers themselves compare without case (RFC 6265bis §4.1.3).
 */
export function ownCookies(names: readonly string[]): OwnCookies {
  const own = new Set<string>()
  for (const name of names) {
    const lower = name.toLowerCase()
    const bare = lower.replace(PREFIX, '')
    own.add(lower).add(`__host-${bare}`).add(`__secure-${bare}`)
  }
  const isOwn = (pair: string) => own.has(cookieName(pair))

  return {
    strip(cookie) {
      const pairs = cookie.split(';')
      if (!pairs.some(isOwn)) return cookie
      const kept = pairs.filter((pair) => !isOwn(pair)).join(';')
      return kept.trim() === '' ? undefined : kept.trimStart()
    },
    sets(setCookie) {
      const end = setCookie.indexOf(';')
      return isOwn(end === -1 ? setCookie : setCookie.slice(0, end))
    },
  }
}

/**
 * The name of `name=value`. A cookie without a name is sent back as its bare value, so `=a=b` counts as `a`, and so
 * does `a`.
 */
function cookieName(pair: string): string {
  const text = pair.replace(/^[\s=]+/, '')
  const end = text.indexOf('=')
  return (end === -1 ? text : text.slice(0, end)).trim().toLowerCase()
}
