import { isIP } from 'node:net'

const HOST_NAME = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?$/i

/** Returns true for a host name or an IP address, without a port and without brackets. */
export function isHost(text: string): boolean {
  return isIP(text) !== 0 || HOST_NAME.test(text)
}

/** Returns true if the text ends with a port that no server can have. */
export function endsWithBadPort(text: string): boolean {
  const digits = /:(\d+)$/.exec(text)?.[1]
  return digits !== undefined && (Number(digits) < 1 || Number(digits) > 65_535)
}

/** Returns a host without its port if that is the default port of the protocol. */
export function withoutDefaultPort(host: string, protocol: string): string {
  const port = protocol === 'https:' ? ':443' : ':80'
  return host.endsWith(port) ? host.slice(0, -port.length) : host
}
