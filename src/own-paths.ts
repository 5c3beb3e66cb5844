/**
 * Paths outside the prefix that belong to the gateway. Requests to them are never forwarded, whatever their method. The
 * gateway has no authorization server metadata (RFC 8414), but an upstream must not be able to publish any in its
 * place.
 */
export const OWN_PATHS: readonly string[] = [
  '/.well-known/jwks.json',
  '/.well-known/oauth-authorization-server',
  '/healthz',
  '/readyz',
]

/** The paths of the gateway's pages. `undefined` if there are none. */
export type PagePaths = { readonly login: string; readonly account: string } | undefined

/** Returns true if the path of a request belongs to the gateway itself, apart from those under its prefix. */
export function isOwnPath(path: string, pages: PagePaths): boolean {
  if (OWN_PATHS.includes(path)) return true
  return pages !== undefined && (path === pages.login || isBeneath(path, pages.account))
}

/** Returns true if `path` is `ancestor` or beneath it. */
export function isBeneath(path: string, ancestor: string): boolean {
  return path === ancestor || path.startsWith(`${ancestor}/`)
}
