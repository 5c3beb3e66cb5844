/** What the gateway knows about the client of a request, for the headers that an upstream receives. */
export interface ForwardedClient {
  /** The client's address. */
  readonly ip: string
  readonly protocol: 'http' | 'https'
  /** The `Host` of the request. `undefined` if it has none (HTTP/1.0). */
  readonly host: string | undefined
}

/**
 * `host[:port]`, limited to characters that need no escapes inside a quoted string. No label of a name is empty: servers
 * that remove dots at the end would take `a..` for `a`.
 */
const HOST = /^(?:[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?$/i

/** Returns true if the value of `Host` can be copied into other headers without changing their meaning. */
export function isPlainHost(host: string): boolean {
  return HOST.test(host)
}

/**
 * Appends the headers that tell an upstream about the client: `X-Forwarded-*`, `X-Real-IP` and `Forwarded` (RFC 7239).
 *
 * @param prefix The part of the path that the upstream doesn't get (`X-Forwarded-Prefix`).
 */
export function pushForwarded(headers: string[], client: ForwardedClient, prefix?: string): void {
  const ip = client.ip.startsWith('::ffff:') && client.ip.includes('.') ? client.ip.slice(7) : client.ip
  headers.push('X-Forwarded-For', ip, 'X-Forwarded-Proto', client.protocol)
  const node = ip.includes(':') ? `"[${ip}]"` : ip
  let forwarded = `for=${node};proto=${client.protocol}`
  if (client.host !== undefined) {
    headers.push('X-Forwarded-Host', client.host, 'X-Forwarded-Port', findPort(client.host, client.protocol))
    forwarded += /[:[]/.test(client.host) ? `;host="${client.host}"` : `;host=${client.host}`
  }
  if (prefix !== undefined) headers.push('X-Forwarded-Prefix', prefix)
  headers.push('X-Real-IP', ip, 'Forwarded', forwarded)
}

function findPort(host: string, protocol: ForwardedClient['protocol']): string {
  return /:([0-9]+)$/.exec(host)?.[1] ?? (protocol === 'https' ? '443' : '80')
}
