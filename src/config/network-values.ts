import { isIP } from 'node:net'
import { readString, readText } from './values.js'
import type { Read } from './values.js'
import { refuse } from './config-error.js'
import { hostName } from '../gateway/routes.js'
import { endsWithBadPort, isHost } from '../host.js'
import { parseRedisUrl } from '../redis/url.js'
import type { RedisUrlError } from '../redis/url.js'

/** Reads a host name or an IP address, without a port. */
export const readHost: Read<string> = (raw, shown) => {
  const text = readString(raw, shown)
  if (!isHost(text)) {
    refuse(`${shown} is not a host; write a name or an IP address, without a port or brackets`)
  }
  return text
}

/** Reads a host that a client may name in `Host`, and returns it in the form of `hostName`. */
export const readRouteHost: Read<string> = (raw, shown) => {
  const text = readString(raw, shown)
  const name = /^\[(.*)\]$/.exec(text)?.[1] ?? text
  if (text.includes('*')) refuse(`${shown} is a pattern; write each host exactly`)
  if (isIP(name) === 6) return new URL(`http://[${name}]`).hostname
  if (/:\d+$/.test(text)) refuse(`${shown} has a port; leave it out, because a route is for every port`)
  return hostName(readHost(text, shown, {}))
}

/** Reads an IP address or a network in CIDR form. */
export const readCidr: Read<string> = (raw, shown) => {
  const [address = '', bits, ...rest] = readString(raw, shown).split('/')
  const family = address.includes('%') ? 0 : isIP(address)
  const widest = family === 6 ? 128 : 32
  const bitsAreFine = bits === undefined || (/^(0|[1-9]\d{0,2})$/.test(bits) && Number(bits) <= widest)
  if (family === 0 || !bitsAreFine || rest.length > 0) {
    refuse(`${shown} is not a network; write a CIDR such as 10.0.0.0/8, or one address`)
  }
  if (bits !== undefined && Number(bits) === 0)
    refuse(`${shown} is everybody; list only the networks of your proxies`)
  return bits === undefined ? address : `${address}/${bits}`
}

/** Refuses a URL whose port no server can have. */
function refuseBadPort(url: string, shown: string): void {
  const [authority = ''] = url.replace(/^[^/]*\/\//, '').split(/[/?#\\]/)
  if (endsWithBadPort(authority)) refuse(`${shown} has a port that is not from 1 to 65535`)
}

/** Reads an origin (RFC 6454 §6), and returns it in the spelling of browsers. */
export const readOrigin: Read<string> = (raw, shown) => {
  const text = readString(raw, shown)
  if (text.includes('*')) refuse(`${shown} is a pattern; write each origin exactly`)
  refuseBadPort(text, shown)
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^/?#@\\\s]+$/i.test(text) || !URL.canParse(text)) {
    refuse(
      `${shown} is not an origin; write scheme://host[:port] without a path, such as https://app.example.com`,
    )
  }
  const { origin } = new URL(text)
  return origin === 'null' ? text.toLowerCase() : origin
}

/** Reads the origin of an upstream server, or a list of origins of equivalent servers. */
export const readUpstreams: Read<readonly string[]> = (raw, shown) => {
  if (!Array.isArray(raw)) return Object.freeze([readUpstream(raw, shown)])
  if (raw.length === 0) return refuse('is an empty list; write at least one origin')
  const origins = raw.map((each) => readUpstream(each, JSON.stringify(each)))
  const twice = origins.find((origin, i) => origins.indexOf(origin) < i)
  if (twice !== undefined) refuse(`${JSON.stringify(twice)} is listed twice; remove one`)
  return Object.freeze(origins)
}

/** Reads an http:// or https:// URL without credentials and fragment. */
export const readHttpUrl: Read<string> = (raw, shown) => {
  const text = readString(raw, shown)
  const wanted = 'write one such as http://127.0.0.1:8080/login'
  refuseBadPort(text, shown)
  if (!/^https?:\/\/[^/\\\s]+(\/\S*)?$/i.test(text) || !URL.canParse(text)) {
    refuse(`${shown} is not an http:// or https:// URL; ${wanted}`)
  }
  if (/^[^/]*\/\/[^/]*@/.test(text)) refuse(`${shown} contains credentials; ${wanted}`)
  if (text.includes('#')) refuse(`${shown} contains a fragment; ${wanted}`)
  return new URL(text).href
}

/** Reads the URL of a JWK Set. Without TLS, anybody on the way could replace the keys. */
export const readJwksUrl: Read<string> = (raw, shown, constraints) => {
  const wanted = 'write one such as https://login.example.com/.well-known/jwks.json'
  const text = readString(raw, shown)
  if (!/^https?:/i.test(text)) refuse(`${shown} is not an https:// URL; ${wanted}`)
  const url = new URL(readHttpUrl(text, shown, constraints))
  if (url.protocol === 'http:' && !/^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(url.hostname))
    refuse(`${shown} is http://, which is allowed for loopback addresses only; ${wanted}`)
  return url.href
}

/** Longest path of a Unix socket that every system accepts, in bytes. Linux accepts 107, macOS 103. */
const MAX_SOCKET_PATH = 103

const readUpstream = (raw: unknown, shown: string): string => {
  const text = readString(raw, shown)
  if (/^unix:/i.test(text)) return readUnixSocket(text, shown)
  const wanted = 'write only the origin, such as http://127.0.0.1:8080, or unix:///run/api.sock'
  if (!/^https?:\/\//i.test(text)) refuse(`${shown} is not an http:// or https:// origin; ${wanted}`)
  if (text.includes('@')) refuse(`${shown} contains credentials; ${wanted}`)
  refuseBadPort(text, shown)
  if (/[?#]/.test(text)) refuse(`${shown} contains a query or a fragment; ${wanted}`)
  if (!/^https?:\/\/[^/\\\s]+\/?$/i.test(text) || !URL.canParse(text)) {
    refuse(`${shown} is more than an origin; ${wanted} (the path of the request is appended)`)
  }
  return new URL(text).origin
}

const readUnixSocket = (text: string, shown: string): string => {
  const path = /^unix:\/\/(\/.*)$/i.exec(text)?.[1]
  if (path === undefined || path.includes('\0') || path.endsWith('/')) {
    return refuse(`${shown} is not a Unix socket; write unix:// and its absolute path: unix:///run/api.sock`)
  }
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH) {
    refuse(`${shown} is longer than ${MAX_SOCKET_PATH} bytes; choose a shorter path for the Unix socket`)
  }
  return `unix://${path}`
}

/** Reads `memory`, `none`, or the URL of a Redis. Only the form is checked: an unreachable Redis is not a configuration error. */
export const readStore: Read<string> = (raw) => {
  const text = readText(raw, 'the value', {})
  if (text === 'memory' || text === 'none') return text
  try {
    parseRedisUrl(text)
  } catch (error) {
    refuse((error as RedisUrlError).message)
  }
  return text
}
