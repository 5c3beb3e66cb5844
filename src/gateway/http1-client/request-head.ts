import type { Readable } from 'node:stream'
import type { Milliseconds } from '../../clock.js'
import type { RequestFraming } from '../header-rules.js'

/** What is sent to an upstream. Strings are Latin-1, as they go on the wire. */
export interface UpstreamRequest {
  readonly method: string
  /** Path and query. */
  readonly target: string
  readonly host: string
  /** Name, value, name, value…: without `Host`, and without what is about the connection or the body's length. */
  readonly headers: readonly string[]
  readonly framing: RequestFraming
  /** As `framing` says; null: none. */
  readonly body: Readable | null
  /** Asks to go on in this protocol. */
  readonly upgrade: string | undefined
  /** 0 = none. */
  readonly timeouts: {
    /** In line for a connection, and from the end of the request to the end of the answer's head. */
    readonly headers: Milliseconds
    /** Between two pieces of the answer. */
    readonly body: Milliseconds
  }
}

/** RFC 9110 §5.5: what would begin a line of its own, or end the text somewhere. */
const NEVER_IN_LINE = /[\0\r\n]/

/** Methods of which a server may wait for a body, so that its absence is said (RFC 9110 §8.6). */
const EXPECTS_BODY = new Set(['POST', 'PUT', 'PATCH', 'QUERY', 'PROPFIND', 'PROPPATCH'])

/** A request's head as it goes on the wire. Undefined: something in it would begin a line of its own. */
export function serializeHead(request: UpstreamRequest): string | undefined {
  const { method, target, host, headers, framing, upgrade } = request
  const connection = upgrade === undefined ? 'keep-alive' : `upgrade\r\nupgrade: ${upgrade}`
  let isPlain = !NEVER_IN_LINE.test(target) && !NEVER_IN_LINE.test(host)
  let head = `${method} ${target} HTTP/1.1\r\nhost: ${host}\r\nconnection: ${connection}\r\n`
  for (let at = 0; at < headers.length; at += 2) {
    const value = headers[at + 1]!
    isPlain &&= !NEVER_IN_LINE.test(value)
    head += `${headers[at]}: ${value}\r\n`
  }
  // All of it comes from a parser or was checked. Were that wrong, it would become another request here.
  if (!isPlain) return undefined
  return `${head}${serializeFraming(method, framing)}\r\n`
}

function serializeFraming(method: string, framing: RequestFraming): string {
  if (framing.kind === 'chunked') return 'transfer-encoding: chunked\r\n'
  const bytes = framing.kind === 'sized' ? framing.bytes : 0
  return bytes > 0 || EXPECTS_BODY.has(method) ? `content-length: ${bytes}\r\n` : ''
}
