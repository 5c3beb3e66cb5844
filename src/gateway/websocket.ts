/** What of a WebSocket's opening handshake (RFC 6455 §4) concerns who is in between. */
import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

const KEY = /^[A-Za-z0-9+/]{22}==$/
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
/** With a body, or while the client waits for leave to send one, the end of the request can be argued about. */
const NOT_WITH = ['content-length', 'transfer-encoding', 'expect']

/**
 * Whether a request that Node takes for an upgrade is a WebSocket handshake to the letter: a bodiless GET in HTTP/1.1
 * with `Upgrade: websocket` alone, said once, and one key.
 */
export function isWebSocketHandshake({ method, httpVersion, rawHeaders }: IncomingMessage): boolean {
  if (method !== 'GET' || httpVersion !== '1.1') return false
  const upgrades = headerValues(rawHeaders, 'upgrade')
  const keys = headerValues(rawHeaders, 'sec-websocket-key')
  return (
    upgrades.length === 1 &&
    upgrades[0]!.toLowerCase() === 'websocket' &&
    keys.length === 1 &&
    KEY.test(keys[0]!) &&
    NOT_WITH.every((name) => headerValues(rawHeaders, name).length === 0)
  )
}

/**
 * Whether the headers of a 101 answer just this handshake (RFC 6455 §4.2.2): a server that was merely talked into this
 * status doesn't know what to say.
 */
export function isAccepted(handshake: IncomingMessage, headers: readonly string[]): boolean {
  const [key] = headerValues(handshake.rawHeaders, 'sec-websocket-key')
  const accept = createHash('sha1').update(`${key}${GUID}`).digest('base64')
  const accepts = headerValues(headers, 'sec-websocket-accept')
  return accepts.length === 1 && accepts[0] === accept
}

/** @param headers Names and values in turn. */
function headerValues(headers: readonly string[], name: string): string[] {
  return headers.filter((_, at) => at % 2 === 1 && headers[at - 1]!.toLowerCase() === name)
}
