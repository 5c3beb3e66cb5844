/**
 * Request headers in which proxies and access gateways say who the client is, by flattened name (`flattenName`).
 * Applications that were written for them believe these headers. They are never forwarded from a client. A header of
 * `identity.headers` may still have one of these names, because those are set last.
 *
 * Signed assertions aren't here, because their application verifies them (`Cf-Access-Jwt-Assertion`, for example).
 */
export const SPOOFED_IDENTITY = [
  // RFC 9440
  'client-cert',
  'client-cert-chain',
  'x-client-cert',
  'x-client-dn',
  'x-client-verify',
  'x-client-certificate',
  'x-tls-client-cert',
  // Azure App Service
  'x-arr-clientcert',
  // OpenResty
  'x-userinfo',
  // Google API Gateway and Cloud Endpoints
  'x-apigateway-api-userinfo',
  'x-endpoint-api-userinfo',
  // Kong
  'x-anonymous-consumer',
  'x-credential-identifier',
  // SiteMinder
  'sm-user',
  'sm-universalid',
  'smserversessionid',
  // IBM Security Verify, Oracle Access Manager
  'iv-user',
  'oam-remote-user',
  // Vouch Proxy
  'x-vouch-user',
  // Applications behind proxies of their own
  'x-auth-user',
  'auth-user',
  // Cloudflare Access
  'cf-access-authenticated-user-email',
]

/** Beginnings of further such names, as regular expressions. */
export const SPOOFED_IDENTITY_PREFIXES = [
  // oauth2-proxy, and nginx with `auth_request`
  'x-auth-request-',
  // Authelia, and CGI's REMOTE_USER
  'remote-(?:user|name|email|groups?)$',
  'x-remote-',
  // TLS client certificates: HAProxy, nginx, ingress-nginx, AWS
  'x-ssl-',
  'ssl-client-',
  'x-amzn-mtls-',
  'x-amzn-oidc-identity$',
  'x-ms-client-principal',
  'x-ms-token-aad-',
  'x-goog-authenticated-user-',
  'x-authentik-',
  'x-authenticated-',
  'x-consumer-',
  'x-webauth-',
  'x-pomerium-',
  'tailscale-user-',
  'oidc-claim-',
  // Shibboleth
  'shib-',
  // Kubernetes
  'impersonate-',
]
