/**
 * Reads what listed proxies in front of the gateway (`listen.trustProxy`) say about a client, in `X-Forwarded-*` or
 * `Forwarded` (RFC 7239).
 */
import type { IncomingHttpHeaders } from 'node:http'
import { isIP } from 'node:net'
import { parseForwarded } from './forwarded-elements.js'

/** The values of `listen.trustHeaders`: the headers that listed proxies write. The other headers have no effect. */
export const TRUST_HEADERS = ['x-forwarded', 'forwarded'] as const
export type TrustHeaders = (typeof TRUST_HEADERS)[number]

/** An address with an optional port. The port may be obfuscated (RFC 7239 §6). */
const ADDRESS_AND_PORT = /^(?:\[(?<v6>[^\]]+)\]|(?<v4>[\d.]+))(?::(?:\d{1,5}|_[\w.-]+))?$/

/**
 * Returns the address of a node (RFC 7239 §6), without port, brackets and quotes. Returns `undefined` if the text
 * contains no address, as in `unknown` and `_hidden`.
 */
export function parseNode(text: string): string | undefined {
  const plain = text.trim()
  const { v4, v6 } = ADDRESS_AND_PORT.exec(unquote(plain))?.groups ?? {}
  // X-Forwarded-For has IPv6 addresses without brackets.
  const address = isIP(plain) === 6 ? plain : (v6 ?? v4)
  if (address === undefined || isIP(address) !== (address === v4 ? 4 : 6)) return undefined
  // IPv4 mapped to IPv6, as a dual-stack socket shows it.
  return /^::ffff:[\d.]+$/i.test(address) ? address.slice(7) : address
}

function unquote(text: string): string {
  const bare = text.trim()
  return bare.length >= 2 && bare.startsWith('"') && bare.endsWith('"') ? bare.slice(1, -1).trim() : bare
}

/** The client as the listed proxies describe it. */
interface DescribedClient {
  /**
   * The client's address as a listed proxy wrote it, `unknown`, or a malformed `Forwarded` for the log. `undefined` if
   * there is no such header.
   */
  readonly node: string | undefined
  readonly proto: string | undefined
  readonly host: string | undefined
}

/**
 * Returns a function that replaces the `X-Forwarded-*` headers in a header object by single values, which describe the
 * client. Fastify reads them for `request.ip`, `request.protocol` and `request.host`. Call the function for requests of
 * listed peers only.
 *
 * @param isListed Returns true for the address of a listed proxy.
 */
export function createClientReader(
  kind: TrustHeaders,
  isListed: (address: string) => boolean,
): (headers: IncomingHttpHeaders) => void {
  const read = kind === 'forwarded' ? readForwarded : readXForwarded
  return (headers) => {
    const { node, proto, host } = read(headers, isListed)
    set(headers, 'x-forwarded-for', node === undefined ? undefined : (parseNode(node) ?? node))
    set(headers, 'x-forwarded-proto', proto)
    set(headers, 'x-forwarded-host', host)
  }
}

function set(headers: IncomingHttpHeaders, name: string, value: string | undefined): void {
  if (value !== undefined) headers[name] = value
  else if (name in headers) delete headers[name]
}

function readXForwarded(
  headers: IncomingHttpHeaders,
  isListed: (address: string) => boolean,
): DescribedClient {
  const nodes = splitList(headers['x-forwarded-for'])
  const protocols = splitList(headers['x-forwarded-proto'])
  const hosts = splitList(headers['x-forwarded-host'])
  const at = findClient(nodes, isListed)
  // Proxies that append to each header write one entry per hop. If a list has another length, its entries can't be
  // matched to hops. Take the last host then, which the peer itself wrote, and `https` if any hop used it.
  const proto =
    protocols.length === nodes.length
      ? toProtocol(protocols[at])
      : protocols.map(toProtocol).toSorted().at(-1)
  return { node: nodes[at], proto, host: hosts.length === nodes.length ? hosts[at] : hosts.at(-1) }
}

function readForwarded(
  { forwarded }: IncomingHttpHeaders,
  isListed: (address: string) => boolean,
): DescribedClient {
  if (forwarded === undefined) return { node: undefined, proto: undefined, host: undefined }
  const elements = parseForwarded(forwarded)
  // The text of a malformed element is for the log. With the name in front, it can't be read as an address.
  const nodes = elements.map((element) =>
    element === undefined ? `Forwarded: ${forwarded}` : (element.get('for') ?? 'unknown'),
  )
  const at = findClient(nodes, isListed)
  const element = elements[at]
  return { node: nodes[at], proto: toProtocol(element?.get('proto')), host: element?.get('host') }
}

/** Returns the index of the last node that isn't a listed proxy, or 0 if all are listed. */
function findClient(nodes: readonly string[], isListed: (address: string) => boolean): number {
  for (let at = nodes.length - 1; at > 0; at--) {
    const address = parseNode(nodes[at]!)
    if (address === undefined || !isListed(address)) return at
  }
  return 0
}

/** Returns `http` or `https` for the protocol that a proxy names. Some name WebSockets `ws` and `wss`. */
function toProtocol(text: string | undefined): 'http' | 'https' | undefined {
  if (text === undefined) return undefined
  const name = unquote(text).toLowerCase()
  return name === 'https' || name === 'wss' ? 'https' : 'http'
}

/** Splits a list (RFC 9110 §5.6.1), and ignores empty entries. */
function splitList(value: string | string[] | undefined): string[] {
  if (value === undefined) return []
  return String(value)
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
}
