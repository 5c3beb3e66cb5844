/** Checks of the WebSocket opening handshake (RFC 6455 §4) that an intermediary needs. */
import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

const KEY_PATTERN = /^[A-Za-z0-9+/]{22}==$/
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
/** Headers that announce a body. With one of them, two programs may disagree about the end of the request. */
const FORBIDDEN_HEADERS = ['content-length', 'transfer-encoding', 'expect']

/**
 * Returns true if an upgrade request is a strictly valid WebSocket handshake: an HTTP/1.1 GET without a body, with
 * exactly one `Upgrade: websocket` and exactly one key.
 */
export function isWebSocketHandshake({ method, httpVersion, rawHeaders }: IncomingMessage): boolean {
  if (method !== 'GET' || httpVersion !== '1.1') return false
  const upgrades = getHeaderValues(rawHeaders, 'upgrade')
  const keys = getHeaderValues(rawHeaders, 'sec-websocket-key')
  return (
    upgrades.length === 1 &&
    upgrades[0]!.toLowerCase() === 'websocket' &&
    keys.length === 1 &&
    KEY_PATTERN.test(keys[0]!) &&
    FORBIDDEN_HEADERS.every((name) => getHeaderValues(rawHeaders, name).length === 0)
  )
}

/**
 * Returns true if the headers of a 101 belong to this handshake (RFC 6455 §4.2.2). A server that doesn't implement
 * WebSockets may be tricked into sending status 101, but doesn't send the matching `Sec-WebSocket-Accept`.
 */
export function isAccepted(handshake: IncomingMessage, headers: readonly string[]): boolean {
  const [key] = getHeaderValues(handshake.rawHeaders, 'sec-websocket-key')
  const accept = createHash('sha1').update(`${key}${GUID}`).digest('base64')
  const accepts = getHeaderValues(headers, 'sec-websocket-accept')
  return accepts.length === 1 && accepts[0] === accept
}

/**
 * Returns all values of a header.
 *
 * @param headers Names and values in turn.
 */
function getHeaderValues(headers: readonly string[], name: string): string[] {
  return headers.filter((_, at) => at % 2 === 1 && headers[at - 1]!.toLowerCase() === name)
}
