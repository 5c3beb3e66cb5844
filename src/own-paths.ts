/**
 * Paths outside the prefix that the gateway keeps to itself: nothing is forwarded to them, by whatever method. The
 * metadata (RFC 8414) aren't there yet, but an upstream must not speak for us.
 */
export const OWN_PATHS: readonly string[] = [
  '/.well-known/jwks.json',
  '/.well-known/oauth-authorization-server',
  '/healthz',
  '/readyz',
]
