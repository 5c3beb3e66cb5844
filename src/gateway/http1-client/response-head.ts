import { UpstreamError } from './upstream-error.js'

/** The head of a response. All strings are Latin-1. */
export interface ResponseHead {
  readonly status: number
  readonly reason: string
  /** Names and values in turn, as received, without the whitespace around values. */
  readonly headers: string[]
  /** The `Content-Length`, in bytes. */
  readonly length: number | undefined
  readonly isChunked: boolean
  /** True if the head allows another request on the connection. */
  readonly isKept: boolean
  /** The time for which the server keeps an idle connection, in seconds (`Keep-Alive: timeout=`). */
  readonly keepAlive: number | undefined
}

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9][0-9]{2})(?: ([\t -~\x80-\xff]*))?\r\n/
/** Field lines (RFC 9112 §5). Rejects whitespace before the colon, line folding, and control characters. */
// oxlint-disable-next-line no-control-regex
const FIELD_LINES = /^(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\0-\x08\n-\x1f\x7f]*\r\n)*$/
const CONTENT_LENGTH = /^[0-9]{1,15}$/
/** A tab in a framing header. RFC 9110 allows it as whitespace, but some parsers, such as Node's, reject it there. */
const FRAMED_BY_TAB = /^(?:content-length|transfer-encoding):[^\r]*\t/im
/** A chunk size and extensions, which are ignored (RFC 9112 §7.1). Rejects whitespace, like Node's parser. */
const CHUNK_LINE =
  /^([0-9a-fA-F]{1,12})(?:;[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:=(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+|"(?:[\t !#-[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"))?)*$/
const CLOSE_OPTION = /(?:^|,)[\t ]*close[\t ]*(?:,|$)/
const KEEP_ALIVE_OPTION = /(?:^|,)[\t ]*keep-alive[\t ]*(?:,|$)/
const KEEP_ALIVE_TIMEOUT = /(?:^|[,; \t])timeout=([0-9]{1,6})/i

/**
 * Parses a response head (RFC 9112 §4, §5, §6).
 *
 * @param text The status line and all fields, each with its CR LF, without the empty line.
 * @throws {UpstreamError} `broken` if the head is invalid, or if two parsers could read it differently.
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
    // Comparing the length first avoids most calls of `toLowerCase`.
    if (name.length === 14 && name.toLowerCase() === 'content-length') {
      const value = headers[at + 1]!
      if (length !== undefined || !CONTENT_LENGTH.test(value))
        throw new UpstreamError('broken', 'bad_framing')
      length = Number(value)
    } else if (name.length === 17 && name.toLowerCase() === 'transfer-encoding') {
      const isPlain = headers[at + 1]!.toLowerCase() === 'chunked'
      // HTTP/1.0 has no chunked coding. Such a sender may have forwarded the header without decoding (RFC 9112 §6.1).
      if (isChunked || isOld || !isPlain) throw new UpstreamError('broken', 'bad_framing')
      isChunked = true
    } else if (name.length === 10 && name.toLowerCase() === 'connection') {
      const options = headers[at + 1]!.toLowerCase()
      closes ||= CLOSE_OPTION.test(options)
      keeps ||= KEEP_ALIVE_OPTION.test(options)
    } else if (name.length === 10 && name.toLowerCase() === 'keep-alive') {
      const seconds = KEEP_ALIVE_TIMEOUT.exec(headers[at + 1]!)?.[1]
      if (seconds !== undefined) keepAlive = Number(seconds)
    }
  }
  const hasTabInFraming = text.includes('\t') && FRAMED_BY_TAB.test(text)
  if (hasTabInFraming || (isChunked && length !== undefined)) throw new UpstreamError('broken', 'bad_framing')
  const [, , status, reason = ''] = line
  return { status: Number(status), reason, headers, length, isChunked, isKept: keeps && !closes, keepAlive }
}

/**
 * Parses the fields of a head or of trailers. Returns names and values in turn.
 *
 * @throws {UpstreamError} `broken` if a field is invalid.
 */
export function parseFields(text: string): string[] {
  if (!FIELD_LINES.test(text)) throw new UpstreamError('broken', 'bad_head')
  const fields: string[] = []
  for (let at = 0; at < text.length;) {
    const colon = text.indexOf(':', at)
    const end = text.indexOf('\r\n', colon)
    fields.push(text.slice(at, colon), trimWhitespace(text, colon + 1, end))
    at = end + 2
  }
  return fields
}

/**
 * Parses the size of a chunk, in bytes. Size 0 marks the last chunk.
 *
 * @param line The chunk's first line, without CR LF.
 * @throws {UpstreamError} `broken` if the line is invalid.
 */
export function parseChunkSize(line: string): number {
  const size = CHUNK_LINE.exec(line)?.[1]
  if (size === undefined) throw new UpstreamError('broken', 'bad_chunk')
  return Number.parseInt(size, 16)
}

function trimWhitespace(text: string, start: number, end: number): string {
  let from = start
  let to = end
  while (from < to && isWhitespace(text.charCodeAt(from))) from += 1
  while (to > from && isWhitespace(text.charCodeAt(to - 1))) to -= 1
  return text.slice(from, to)
}

function isWhitespace(code: number): boolean {
  return code === 0x20 || code === 0x09
}
