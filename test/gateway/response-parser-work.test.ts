/** The work of reading a response whose pieces are as small as an upstream likes. Counted in bytes, not in time. */
import t from 'tap'
import type { Test } from 'tap'
import { ResponseParser } from '../../src/gateway/http1-client/response-parser.js'

/** Counts the bytes that buffers copy, search and turn into text from now on, until the end of the test. */
function countWork(t: Test): { bytes: number } {
  const work = { bytes: 0 }
  const { concat } = Buffer
  const { indexOf, toString, copy } = Buffer.prototype
  t.teardown(() => {
    Buffer.concat = concat
    Object.assign(Buffer.prototype, { indexOf, toString, copy })
  })
  Buffer.concat = (list, total) => {
    const all = concat(list, total)
    work.bytes += all.length
    return all
  }
  Object.assign(Buffer.prototype, {
    indexOf(this: Buffer, value: Buffer, from = 0) {
      work.bytes += this.length - from
      return indexOf.call(this, value, from)
    },
    toString(this: Buffer, encoding?: BufferEncoding, from = 0, to = this.length) {
      work.bytes += to - from
      return toString.call(this, encoding, from, to)
    },
    copy(this: Buffer, target: Buffer, at = 0, from = 0) {
      work.bytes += this.length - from
      return copy.call(this, target, at, from)
    },
  })
  return work
}

const SIZE = 16_000
const HEAD = 'HTTP/1.1 200 OK\r\n'
const CHUNKED = `${HEAD}Transfer-Encoding: chunked\r\n\r\n`
const RESPONSES = {
  'a long header': `${HEAD}Content-Length: 0\r\nA: ${'a'.repeat(SIZE)}\r\n\r\n`,
  'many headers': `${HEAD}Content-Length: 0\r\n${'A: b\r\n'.repeat(SIZE / 6)}\r\n`,
  'a long chunk extension': `${CHUNKED}0;a=${'b'.repeat(SIZE)}\r\n\r\n`,
  'many trailers': `${CHUNKED}0\r\n${'A: b\r\n'.repeat(SIZE / 6)}\r\n`,
}

for (const [what, text] of Object.entries(RESPONSES)) {
  t.test(`${what}, sent byte by byte, costs a constant number of steps per byte`, async (t) => {
    let ended = false
    const ignore = () => {}
    const onEnd = () => (ended = true)
    const parser = new ResponseParser({
      onInterim: ignore,
      onHead: ignore,
      onData: ignore,
      onUpgrade: ignore,
      onEnd,
    })
    parser.expect({ isHead: false, isUpgrade: false })
    const pieces = Array.from(text, (character) => Buffer.from(character, 'latin1'))
    const work = countWork(t)
    for (const piece of pieces) parser.read(piece)
    t.ok(ended)
    t.ok(work.bytes < 30 * text.length, `${work.bytes} bytes for ${text.length}`)
  })
}
