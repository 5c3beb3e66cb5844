/** The original request of a forward-auth check, as described by the proxy that sends the check. */
import { METHODS } from 'node:http'
import { BlockList, isIPv6 } from 'node:net'
import { isPlainHost } from './forwarded-headers.js'

/** The request that a proxy sends as a forward-auth check. */
export interface CheckRequest {
  readonly method: string
  /** The request target of the check, as received. */
  readonly url: string
  /** Names and values in turn, as in `IncomingMessage.rawHeaders`. */
  readonly rawHeaders: readonly string[]
  /**
   * The client's host in `Forwarded`, if the proxy writes that header (`listen.trustHeaders: forwarded`). It takes the
   * place of `X-Forwarded-Host`, which such a proxy passes on from its client.
   */
  readonly forwarded?: { readonly host: string | undefined } | undefined
}

/** The original request, or the reason why it is unknown. `untold` means that the check doesn't describe one. */
export type OriginalRequest =
  | {
      readonly kind: 'told'
      readonly method: string
      /** The request target, as sent by the proxy. The caller must check it with `checkTarget`. */
      readonly target: string
      /** The host that the client sent the original request to. */
      readonly host: string | undefined
      /** The place of the target. If it is in the path, the query of the check belongs to the original request. */
      readonly by: 'headers' | 'path'
    }
  | { readonly kind: 'untold' }
  | {
      readonly kind: 'unclear'
      /** An error message for the administrator of the proxy. */
      readonly detail: string
    }

/**
 * The header pairs of Traefik and Caddy, of nginx, and of ingress-nginx, which sends the whole URL. Envoy sends no pair.
 * Its check has the method of the original request, and the original target follows the path of the check.
 */
const HEADER_PAIRS = [
  ['X-Forwarded-Method', 'X-Forwarded-Uri'],
  ['X-Original-Method', 'X-Original-URI'],
] as const
/** Takes the place of `X-Original-URI`. */
const WHOLE_URL = 'X-Original-URL'
/** Scheme, host, and path with query. Nothing is decoded or normalized. */
const URL_PATTERN = /^https?:\/\/([^/?#]+)(\/.*)$/i
const FORWARDED_HOST = 'x-forwarded-host'
const READ_HEADERS = new Set([
  'host',
  FORWARDED_HOST,
  ...[...HEADER_PAIRS.flat(), WHOLE_URL].map((name) => name.toLowerCase()),
])

/**
 * Reads the original request from a check that a trusted proxy has sent. The result is `unclear` if a header occurs
 * twice, or if the request is described in two ways, because one of the two may come from the client.
 *
 * @param path Path for checks, such as `/auth/verify`. In Envoy's form, the original target follows it.
 */
export function readOriginal(check: CheckRequest, path: string): OriginalRequest {
  const { method, url, forwarded } = check
  const values = collectValues(check)
  if (typeof values === 'string') return unclear(`The header ${values} occurs twice. Send it once.`)
  if (!url.startsWith(path)) return unclear('The path of the check must be written without percent escapes.')
  const rest = url.slice(path.length)
  const wholeUrl = values.get(WHOLE_URL.toLowerCase())
  const pairs: readonly (readonly [string, string])[] = [
    ...HEADER_PAIRS.filter(([, name]) => values.has(name.toLowerCase())),
    ...(wholeUrl === undefined ? [] : [['X-Original-Method', WHOLE_URL] as const]),
  ]
  const hasMethod = HEADER_PAIRS.map(([name]) => values.has(name.toLowerCase()))
  const isInPath = rest.startsWith('/')
  const [usedPair] = pairs
  // A method without its target, or next to another description, may come from the client.
  const isForeign = HEADER_PAIRS.some(
    ([name], at) => hasMethod[at] && usedPair !== undefined && usedPair[0] !== name,
  )
  if (pairs.length + Number(isInPath) > 1 || isForeign || (isInPath && hasMethod.includes(true))) {
    return unclear(
      'The original request is described in more than one way. Use only one of X-Forwarded-Uri, X-Original-URI, X-Original-URL, and the path.',
    )
  }
  if (!usedPair && hasMethod.includes(true))
    return unclear(
      'Send the request target with its method: X-Forwarded-Uri, X-Original-URI or X-Original-URL.',
    )
  if (!usedPair && !isInPath) return { kind: 'untold' }

  const described = wholeUrl === undefined ? undefined : URL_PATTERN.exec(wholeUrl)
  if (described === null) return unclear('X-Original-URL must be a URL with scheme, host and path.')
  const originalMethod = usedPair ? values.get(usedPair[0].toLowerCase()) : method
  const target = described?.[2] ?? (usedPair ? values.get(usedPair[1].toLowerCase())! : rest)
  if (originalMethod === undefined) return unclear(`Send both of these headers: ${usedPair!.join(', ')}.`)
  if (!METHODS.includes(originalMethod))
    return unclear('The method of the original request is not an HTTP method.')
  const host =
    described?.[1] ?? (forwarded ? forwarded.host : values.get(FORWARDED_HOST)) ?? values.get('host')
  if (host !== undefined && !isPlainHost(host))
    return unclear('The host of the original request must have the form host or host:port.')
  return { kind: 'told', method: originalMethod, target, host, by: usedPair ? 'headers' : 'path' }
}

/** Returns the header values by lower-case name, or the name of a header that occurs twice. */
function collectValues({ rawHeaders, forwarded }: CheckRequest): ReadonlyMap<string, string> | string {
  const values = new Map<string, string>()
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!.toLowerCase()
    if (!READ_HEADERS.has(name) || (forwarded && name === FORWARDED_HOST)) continue
    if (values.has(name)) return rawHeaders[at]!
    values.set(name, rawHeaders[at + 1]!)
  }
  return values
}

function unclear(detail: string): OriginalRequest {
  return { kind: 'unclear', detail }
}

/**
 * Creates a check that returns true if the remote address of a socket is in one of the networks.
 *
 * @param networks CIDRs or single addresses (`listen.trustProxy`)
 */
export function createPeerCheck(networks: readonly string[]): (address: string | undefined) => boolean {
  const list = new BlockList()
  for (const network of networks) {
    const [address = '', bits] = network.split('/')
    if (bits === undefined) list.addAddress(address, getAddressFamily(address))
    else list.addSubnet(address, Number(bits), getAddressFamily(address))
  }
  return (address) => {
    if (address === undefined) return false
    // A socket that listens on IPv6 shows an IPv4 peer as `::ffff:a.b.c.d`. A zone index such as `%eth0` is dropped.
    const bare = /^::ffff:[\d.]+$/i.test(address) ? address.slice(7) : address.replace(/%.*$/, '')
    return list.check(bare, getAddressFamily(bare))
  }
}

function getAddressFamily(address: string): 'ipv4' | 'ipv6' {
  return isIPv6(address) ? 'ipv6' : 'ipv4'
}
