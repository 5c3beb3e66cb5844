/**
 * What a proxy in front says, when it asks by a request of its own (forward-auth), about the request that it asks
 * for.
 */
import { METHODS } from 'node:http'
import { BlockList, isIPv6 } from 'node:net'
import { isPlainHost } from './forwarded-headers.js'

/** The request that asks. `rawHeaders`: names and values in turn, as Node has them. */
export interface CheckRequest {
  readonly method: string
  /** Its target as it came. */
  readonly url: string
  readonly rawHeaders: readonly string[]
}

export type OriginalRequest =
  | {
      readonly kind: 'told'
      readonly method: string
      /** As the proxy writes it; to be judged. */
      readonly target: string
      /** The host that the client asked. */
      readonly host: string | undefined
      /** Where it stood. In the path, the check's own query is the original's. */
      readonly by: 'headers' | 'path'
    }
  | { readonly kind: 'untold' }
  | {
      readonly kind: 'unclear'
      /** For who set up the proxy: what was wrong. */
      readonly detail: string
    }

/** Traefik and Caddy; nginx. Envoy sends none: its check has the original's method, and its path behind ours. */
const PAIRS = [
  ['X-Forwarded-Method', 'X-Forwarded-Uri'],
  ['X-Original-Method', 'X-Original-URI'],
] as const
const READ = new Set(['host', 'x-forwarded-host', ...PAIRS.flat().map((name) => name.toLowerCase())])

/**
 * Reads the original request from a check that comes from a listed peer. Each thing must be said once, and in one way
 * alone: with two, one of them may be the client's.
 *
 * @param path Where checks are taken, such as `/auth/verify`; what follows it is the original's target.
 */
export function readOriginal({ method, url, rawHeaders }: CheckRequest, path: string): OriginalRequest {
  const said = collectValues(rawHeaders)
  if (typeof said === 'string') return unclear(`${said}: it is there twice.`)
  if (!url.startsWith(path)) return unclear('The path of a check is not written with escapes.')
  const rest = url.slice(path.length)
  const ways = PAIRS.filter((pair) => pair.some((name) => said.has(name.toLowerCase())))
  const [way] = ways
  const isInPath = rest.startsWith('/')
  if (ways.length + Number(isInPath) > 1) {
    return unclear(
      'The original request is told in more than one way: X-Forwarded-Uri, X-Original-URI, or the path.',
    )
  }
  if (!way && !isInPath) return { kind: 'untold' }

  const [toldMethod, target] = way ? way.map((name) => said.get(name.toLowerCase())) : [method, rest]
  if (toldMethod === undefined || target === undefined) return unclear(`${way!.join(' needs ')}.`)
  if (!METHODS.includes(toldMethod)) return unclear('The original method is none of HTTP.')
  const host = said.get('x-forwarded-host') ?? said.get('host')
  if (host !== undefined && !isPlainHost(host)) return unclear('The original host is not one host.')
  return { kind: 'told', method: toldMethod, target, host, by: way ? 'headers' : 'path' }
}

/** What is read, by lower-case name; or the name that is there twice. */
function collectValues(rawHeaders: readonly string[]): ReadonlyMap<string, string> | string {
  const said = new Map<string, string>()
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!.toLowerCase()
    if (!READ.has(name)) continue
    if (said.has(name)) return rawHeaders[at]!
    said.set(name, rawHeaders[at + 1]!)
  }
  return said
}

function unclear(detail: string): OriginalRequest {
  return { kind: 'unclear', detail }
}

/**
 * Tells whether the address at a socket's other end is in one of the networks.
 *
 * @param networks CIDRs or single addresses (`listen.trustProxy`)
 */
export function createPeerCheck(networks: readonly string[]): (address: string | undefined) => boolean {
  const list = new BlockList()
  for (const network of networks) {
    const [address = '', bits] = network.split('/')
    if (bits === undefined) list.addAddress(address, addressFamily(address))
    else list.addSubnet(address, Number(bits), addressFamily(address))
  }
  return (address) => {
    if (address === undefined) return false
    // An IPv4 peer of a socket that listens on IPv6.
    const bare = /^::ffff:[\d.]+$/i.test(address) ? address.slice(7) : address.replace(/%.*$/, '')
    return list.check(bare, addressFamily(bare))
  }
}

function addressFamily(address: string): 'ipv4' | 'ipv6' {
  return isIPv6(address) ? 'ipv6' : 'ipv4'
}
