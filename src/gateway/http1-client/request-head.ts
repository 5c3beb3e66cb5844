import type { Readable } from 'node:stream'
import type { Milliseconds } from '../../clock.js'
import type { RequestFraming } from '../header-rules.js'

/** A request as it is sent to an upstream. All strings are Latin-1. */
export interface UpstreamRequest {
  readonly method: string
  /** The request target: path and query. */
  readonly target: string
  readonly host: string
  /** Names and values in turn, without `Host`, `Connection` and the framing headers. */
  readonly headers: readonly string[]
  readonly framing: RequestFraming
  /** The body, in the form that `framing` announces. `null` if there is none. */
  readonly body: Readable | null
  /** The protocol to upgrade to, or `undefined` for an ordinary request. */
  readonly upgrade: string | undefined
  /** The client's address. One address can't occupy all connections of a pool. */
  readonly client?: string | undefined
  /** 0 disables a timeout. */
  readonly timeouts: {
    /** Longest wait for a connection, and then from the end of the request to the end of the response head. */
    readonly headers: Milliseconds
    /** Longest wait between two pieces of the response. */
    readonly body: Milliseconds
  }
}

/** Characters that would start a new line, or end the text in some parsers (RFC 9110 §5.5). */
const LINE_BREAK = /[\0\r\n]/

/** Methods for which a request without a body needs `Content-Length: 0` (RFC 9110 §8.6). */
const METHODS_WITH_BODY = new Set(['POST', 'PUT', 'PATCH', 'QUERY', 'PROPFIND', 'PROPPATCH'])

/**
 * Returns true if the connection carries no request after this one, whatever the response says.
 *
 * - Some servers answer HEAD like GET, with a body. The body would be read as the next response.
 * - Some servers don't read the body of a GET. They would read it as the next request, which nobody has admitted, and
 *   its response would be the next response. Such a body has no defined meaning (RFC 9110 §9.3.1).
 */
export function isLastOnConnection({
  method,
  framing,
}: Pick<UpstreamRequest, 'method' | 'framing'>): boolean {
  if (method === 'HEAD') return true
  return (framing.kind === 'chunked' || bodyBytes(framing) > 0) && !METHODS_WITH_BODY.has(method)
}

/** Serializes a request head. Returns `undefined` if a part of it contains CR, LF or NUL. */
export function serializeHead(request: UpstreamRequest): string | undefined {
  const { method, target, host, headers, framing, upgrade } = request
  const persistence = isLastOnConnection(request) ? 'close' : 'keep-alive'
  const connection = upgrade === undefined ? persistence : `upgrade\r\nupgrade: ${upgrade}`
  let isPlain = !LINE_BREAK.test(target) && !LINE_BREAK.test(host)
  let head = `${method} ${target} HTTP/1.1\r\nhost: ${host}\r\nconnection: ${connection}\r\n`
  for (let at = 0; at < headers.length; at += 2) {
    const value = headers[at + 1]!
    isPlain &&= !LINE_BREAK.test(value)
    head += `${headers[at]}: ${value}\r\n`
  }
  // All parts come from a parser or were checked before. This is the last defense against request smuggling.
  if (!isPlain) return undefined
  return `${head}${serializeFraming(method, framing)}\r\n`
}

function serializeFraming(method: string, framing: RequestFraming): string {
  if (framing.kind === 'chunked') return 'transfer-encoding: chunked\r\n'
  const bytes = bodyBytes(framing)
  return bytes > 0 || METHODS_WITH_BODY.has(method) ? `content-length: ${bytes}\r\n` : ''
}

function bodyBytes(framing: RequestFraming): number {
  return framing.kind === 'sized' ? framing.bytes : 0
}
