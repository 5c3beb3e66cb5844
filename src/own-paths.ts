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
