import { SPOOFED_IDENTITY, SPOOFED_IDENTITY_PREFIXES } from './spoofed-identity.js'

/** Names in which proxies and CDNs say the client's address, scheme and host, besides `x-forwarded-*`. */
const FORWARDING = [
  'forwarded',
  'x-real-ip',
  'client-ip',
  'x-client-ip',
  'true-client-ip',
  'x-cluster-client-ip',
  'cf-connecting-ip',
  'cf-connecting-ipv6',
  'fastly-client-ip',
  'x-azure-clientip',
  'x-azure-socketip',
  'x-proxyuser-ip',
  'x-originating-ip',
  'wl-proxy-client-ip',
  'wl-proxy-ssl',
  'x-host',
  'x-http-host-override',
  'front-end-https',
  'x-scheme',
  'x-url-scheme',
]

/**
 * Request headers that are never forwarded from a client, by flattened name (`flattenName`). The gateway itself handles
 * `Expect`. CGI would turn `Proxy` into the variable HTTP_PROXY.
 */
export const REMOVED_FROM_REQUESTS = [
  'expect',
  'proxy',
  ...FORWARDING,
  // They select files of the server (Rack, nginx).
  'x-sendfile-type',
  'x-accel-mapping',
  'x-method-override',
  'http-method-override',
  ...SPOOFED_IDENTITY,
]
/** Beginnings of further such names. */
export const REMOVED_PREFIXES = new RegExp(
  `^(?:proxy-|x-forwarded(?:-|$)|x-original-|x-rewrite-|x-http-method(?:-|$)|${SPOOFED_IDENTITY_PREFIXES.join('|')})`,
)
