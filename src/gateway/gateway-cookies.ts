/** A filter that hides the gateway's own cookies from upstreams and protects them from being set by upstreams. */
export interface OwnCookies {
  /** Returns a `Cookie` value without the gateway's cookies, or `undefined` if no cookie is left. */
  strip(cookie: string): string | undefined
  /** Returns true if a `Set-Cookie` value sets one of the gateway's cookies. */
  sets(setCookie: string): boolean
}

const PREFIX = /^__(?:host|secure)-/

/**
 * Creates the filter for the gateway's cookies.
 *
 * @param names Names of the gateway's cookies. The filter matches each name as it is, and with the prefixes `__Host-`
 * and `__Secure-`. It ignores case, as browsers do for these prefixes (RFC 6265bis §4.1.3).
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
 * Returns the name, in lower case, that a server may read in a cookie pair. Of a cookie without a name, browsers send
 * the value alone: a server gets `a=b` for `=a=b`. The name of `=a=b` and of `a` is therefore `a`.
 */
function cookieName(pair: string): string {
  const text = pair.replace(/^[\s=]+/, '')
  const end = text.indexOf('=')
  return (end === -1 ? text : text.slice(0, end)).trim().toLowerCase()
}
