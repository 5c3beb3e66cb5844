/** Checks of the WebSocket opening handshake (RFC 6455 §4) that an intermediary needs. */
import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

const KEY_PATTERN = /^[A-Za-z0-9+/]{22}==$/
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** The parts of a request that a handshake is recognised by. */
interface UpgradeRequest {
  readonly method?: string | undefined
  readonly httpVersion: string
  /** Names and values in turn. */
  readonly rawHeaders: readonly string[]
}

/** The part of an upgrade request because of which it is handled as an ordinary request. */
export type HandshakeFault =
  'method' | 'http_version' | 'upgrade' | 'key' | 'content_length' | 'transfer_encoding' | 'expect'

/**
 * Returns the reason why an upgrade request is not a WebSocket handshake, or `undefined` if it is one: an HTTP/1.1 GET
 * with `websocket` in the list of `Upgrade`, exactly one key, and neither a body nor `Expect`. Other protocols in that
 * list aren't forwarded. With a header that announces a body, programs may disagree about the end of the request.
 */
export function findHandshakeFault({
  method,
  httpVersion,
  rawHeaders,
}: UpgradeRequest): HandshakeFault | undefined {
  if (method !== 'GET') return 'method'
  if (httpVersion !== '1.1') return 'http_version'
  if (!getListItems(rawHeaders, 'upgrade').includes('websocket')) return 'upgrade'
  const keys = getHeaderValues(rawHeaders, 'sec-websocket-key')
  if (keys.length !== 1 || !KEY_PATTERN.test(keys[0]!)) return 'key'
  // Some clients send `Content-Length: 0`, which announces no body.
  if (!getHeaderValues(rawHeaders, 'content-length').every((length) => length === '0'))
    return 'content_length'
  if (getHeaderValues(rawHeaders, 'transfer-encoding').length > 0) return 'transfer_encoding'
  return getListItems(rawHeaders, 'expect').length > 0 ? 'expect' : undefined
}

/** Returns true if the client wanted a WebSocket, with or without a valid handshake. */
export function isWebSocketAttempt({ rawHeaders }: Pick<UpgradeRequest, 'rawHeaders'>): boolean {
  return (
    getListItems(rawHeaders, 'upgrade').includes('websocket') ||
    getHeaderValues(rawHeaders, 'sec-websocket-key').length > 0
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

/** Returns the items of a list header in lower case, without empty ones (RFC 9110 §5.6.1). */
function getListItems(headers: readonly string[], name: string): string[] {
  return getHeaderValues(headers, name)
    .flatMap((value) => value.split(','))
    .map((item) => item.trim().toLowerCase())
    .filter((item) => item !== '')
}
