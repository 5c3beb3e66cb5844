import { UpstreamError } from './upstream-error.js'

/** The head of an answer, in Latin-1. */
export interface ResponseHead {
  readonly status: number
  readonly reason: string
  /** Name, value, name, value… as they came, without the blanks around values. */
  readonly headers: string[]
  /** Its `Content-Length`, in bytes. */
  readonly length: number | undefined
  readonly isChunked: boolean
  /** The connection may carry another answer, as far as the head says. */
  readonly isKept: boolean
  /** For how long the server then keeps it, in seconds (`Keep-Alive: timeout=`). */
  readonly keepAlive: number | undefined
}

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9][0-9]{2})(?: ([\t -~\x80-\xff]*))?\r\n/
/** RFC 9112 §5: a token, no blank before the colon, no folding, no control characters. */
// oxlint-disable-next-line no-control-regex
const FIELD_LINES = /^(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\0-\x08\n-\x1f\x7f]*\r\n)*$/
const LENGTH = /^[0-9]{1,15}$/
/** Allowed as a blank, but Node's parser, for one, doesn't take it there. */
const FRAMED_BY_TAB = /^(?:content-length|transfer-encoding):[^\r]*\t/im
/** RFC 9112 §7.1: a size, and extensions, which nobody reads; without blanks, as Node has it. */
const CHUNK =
  /^([0-9a-fA-F]{1,12})(?:;[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:=(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+|"(?:[\t !#-[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"))?)*$/
const CLOSE = /(?:^|,)[\t ]*close[\t ]*(?:,|$)/
const KEPT = /(?:^|,)[\t ]*keep-alive[\t ]*(?:,|$)/
const KEEP_ALIVE = /(?:^|[,; \t])timeout=([0-9]{1,6})/i

/**
 * Reads a head (RFC 9112 §4, §5, §6).
 *
 * @param text From the status line to the CR LF of the last field, without the empty line.
 * @throws {UpstreamError} `broken`: where two readers could differ, it is no head.
 */
export function parseHead(text: string): ResponseHead {
  const line = STATUS_LINE.exec(text)
  if (line === null) throw new UpstreamError('broken', 'bad_head')
  const headers = parseFields(text.slice(line[0].length))
  const isOld = line[1] === '0'
  let length: number | undefined
  let isChunked = false
  let closes = false
  let keeps = !isOld
  let keepAlive: number | undefined
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at]!
    // Few headers are as long as those that matter here.
    if (name.length === 14 && name.toLowerCase() === 'content-length') {
      const value = headers[at + 1]!
      if (length !== undefined || !LENGTH.test(value)) throw new UpstreamError('broken', 'bad_framing')
      length = Number(value)
    } else if (name.length === 17 && name.toLowerCase() === 'transfer-encoding') {
      const isPlain = headers[at + 1]!.toLowerCase() === 'chunked'
      // HTTP/1.0 knows none: who sends it has passed on what it doesn't understand (RFC 9112 §6.1).
      if (isChunked || isOld || !isPlain) throw new UpstreamError('broken', 'bad_framing')
      isChunked = true
    } else if (name.length === 10 && name.toLowerCase() === 'connection') {
      const options = headers[at + 1]!.toLowerCase()
      closes ||= CLOSE.test(options)
      keeps ||= KEPT.test(options)
    } else if (name.length === 10 && name.toLowerCase() === 'keep-alive') {
      const seconds = KEEP_ALIVE.exec(headers[at + 1]!)?.[1]
      if (seconds !== undefined) keepAlive = Number(seconds)
    }
  }
  const isOdd = text.includes('\t') && FRAMED_BY_TAB.test(text)
  if (isOdd || (isChunked && length !== undefined)) throw new UpstreamError('broken', 'bad_framing')
  const [, , status, reason = ''] = line
  return { status: Number(status), reason, headers, length, isChunked, isKept: keeps && !closes, keepAlive }
}

/**
 * Reads fields, of a head or of trailers.
 *
 * @throws {UpstreamError} `broken`
 */
export function parseFields(text: string): string[] {
  if (!FIELD_LINES.test(text)) throw new UpstreamError('broken', 'bad_head')
  const fields: string[] = []
  for (let at = 0; at < text.length;) {
    const colon = text.indexOf(':', at)
    const end = text.indexOf('\r\n', colon)
    fields.push(text.slice(at, colon), unpadded(text, colon + 1, end))
    at = end + 2
  }
  return fields
}

/**
 * The size of a chunk, in bytes; 0: the last.
 *
 * @param line Without its CR LF.
 * @throws {UpstreamError} `broken`
 */
export function parseChunkSize(line: string): number {
  const size = CHUNK.exec(line)?.[1]
  if (size === undefined) throw new UpstreamError('broken', 'bad_chunk')
  return Number.parseInt(size, 16)
}

function unpadded(text: string, start: number, end: number): string {
  let from = start
  let to = end
  while (from < to && isBlank(text.charCodeAt(from))) from += 1
  while (to > from && isBlank(text.charCodeAt(to - 1))) to -= 1
  return text.slice(from, to)
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09
}
