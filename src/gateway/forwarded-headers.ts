/** Who asked, as far as this gateway can vouch for it. */
export interface ForwardedClient {
  /** The client's address. */
  readonly ip: string
  readonly protocol: 'http' | 'https'
  /** The request's `Host`; undefined where it has none (HTTP/1.0). */
  readonly host: string | undefined
}

/** `host[:port]`, with nothing that would need thought to quote or to parse. */
const HOST = /^(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?$/i

/** Whether a `Host` can be repeated in other headers without changing their meaning. */
export function isPlainHost(host: string): boolean {
  return HOST.test(host)
}

/**
 * Appends the headers that tell an upstream about the client: `X-Forwarded-*`, `X-Real-IP` and `Forwarded` (RFC
 * 7239).
 */
export function pushForwarded(headers: string[], origin: ForwardedClient): void {
  const ip = origin.ip.startsWith('::ffff:') && origin.ip.includes('.') ? origin.ip.slice(7) : origin.ip
  headers.push('X-Forwarded-For', ip, 'X-Forwarded-Proto', origin.protocol)
  const node = ip.includes(':') ? `"[${ip}]"` : ip
  let forwarded = `for=${node};proto=${origin.protocol}`
  if (origin.host !== undefined) {
    headers.push('X-Forwarded-Host', origin.host, 'X-Forwarded-Port', findPort(origin.host, origin.protocol))
    forwarded += /[:[]/.test(origin.host) ? `;host="${origin.host}"` : `;host=${origin.host}`
  }
  headers.push('X-Real-IP', ip, 'Forwarded', forwarded)
}

function findPort(host: string, protocol: ForwardedClient['protocol']): string {
  return /:([0-9]+)$/.exec(host)?.[1] ?? (protocol === 'https' ? '443' : '80')
}
