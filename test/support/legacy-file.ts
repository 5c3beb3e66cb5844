import type { IncomingMessage, ServerResponse } from 'node:http'

export const FILE = Buffer.from(Array.from({ length: 200_000 }, (_, at) => (at * 7 + (at >> 8)) % 251))
export const FILE_HEADERS = {
  etag: '"v1-7"',
  'last-modified': 'Wed, 01 Jan 2020 00:00:00 GMT',
  'cache-control': 'public, max-age=60',
  age: '7',
  vary: 'Accept-Encoding, X-Tenant',
  expires: 'Thu, 02 Jan 2020 00:00:00 GMT',
  'content-disposition': 'attachment; filename="a b.bin"',
}

/** Preconditions and ranges (RFC 9110 §13 and §14). */
export function serveFile({ headers }: IncomingMessage, response: ServerResponse): void {
  const { etag, 'last-modified': modified } = FILE_HEADERS
  if (headers['if-none-match'] === etag || headers['if-modified-since'] === modified) {
    return void response.writeHead(304, FILE_HEADERS).end()
  }
  const base = { ...FILE_HEADERS, 'accept-ranges': 'bytes', 'content-type': 'application/octet-stream' }
  const ifRange = headers['if-range']
  const ranges = ifRange === undefined || ifRange === etag ? rangesOf(headers.range) : []
  if (ranges === 'unsatisfiable') {
    return void response
      .writeHead(416, { 'content-range': `bytes */${FILE.length}`, 'content-length': 0 })
      .end()
  }
  const [only, second] = ranges
  if (only === undefined)
    return void response.writeHead(200, { ...base, 'content-length': FILE.length }).end(FILE)
  if (second === undefined) {
    const part = FILE.subarray(only[0], only[1] + 1)
    const range = { 'content-range': contentRange(only), 'content-length': part.length }
    return void response.writeHead(206, { ...base, ...range }).end(part)
  }
  response.writeHead(206, { ...base, 'content-type': 'multipart/byteranges; boundary=SEP' })
  for (const range of ranges) {
    response.write(`\r\n--SEP\r\nContent-Range: ${contentRange(range)}\r\n\r\n`)
    response.write(FILE.subarray(range[0], range[1] + 1))
  }
  response.end('\r\n--SEP--\r\n')
}

type Range = readonly [first: number, last: number]

function rangesOf(header: string | undefined): Range[] | 'unsatisfiable' {
  if (header === undefined) return []
  const end = FILE.length - 1
  const ranges = [...header.matchAll(/(\d*)-(\d*)/g)].map(([, first, last]): Range => {
    if (first === '') return [FILE.length - Number(last), end]
    return [Number(first), last === '' ? end : Math.min(Number(last), end)]
  })
  return ranges.some(([first]) => first > end) ? 'unsatisfiable' : ranges
}

function contentRange([first, last]: Range): string {
  return `bytes ${first}-${last}/${FILE.length}`
}
