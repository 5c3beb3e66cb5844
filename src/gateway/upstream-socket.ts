import type { Socket } from 'node:net'
import { buildConnector } from 'undici'
import type { Milliseconds } from '../clock.js'

/**
 * Connects to upstreams, and puts right two things in which undici's HTTP/1.1 client departs from RFC 9110 and 9112, so
 * that old servers work and broken answers show.
 */
export function upstreamConnector(timeout: Milliseconds): buildConnector.connector {
  const connect = buildConnector({ timeout })
  return (options, callback) =>
    connect(options, (...result) => {
      // Not there after an error, whatever the type says.
      const socket = result[1] as Socket | null | undefined
      if (socket) {
        tellResetFromEnd(socket)
        dropUnaskedContinue(socket)
      }
      callback(...result)
    })
}

/** The code that a connection reset by the upstream gets. */
export const UPSTREAM_RESET = 'UPSTREAM_RESET'

/**
 * Where an answer lasts until the connection closes, undici takes ECONNRESET for that end: half an answer would look
 * whole. Under another code it is an error like others.
 */
function tellResetFromEnd(socket: Socket): void {
  socket.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'ECONNRESET') error.code = UPSTREAM_RESET
  })
}

const CONTINUE = /^HTTP\/1\.[01] 100(?: |\r)/
const CONTINUE_BEGUN = 'HTTP/1.1 100 '
const LONGEST_HEAD = 16_384

/**
 * A server may send `100 Continue` unasked, and a client must bear it (RFC 9110 §15.2); undici closes the connection. So
 * it never sees one: between a request's head and the answer's, such heads are taken out of what the socket reads.
 */
function dropUnaskedContinue(socket: Socket): void {
  const { write, read } = socket
  let awaitsHead = false
  let held: Buffer | undefined

  socket.write = function (this: Socket, ...args: unknown[]) {
    const data = args[0]
    // undici writes heads as strings, bodies as buffers, and what frames a chunk as strings that begin with CR.
    if (typeof data === 'string' && data.charCodeAt(0) !== 0x0d) awaitsHead = true
    return Reflect.apply(write, this, args) as boolean
  } as typeof socket.write

  socket.read = function (this: Socket, size?: number): unknown {
    const chunk = read.call(this, size) as Buffer | null
    if (!awaitsHead || chunk === null || size === 0) return chunk
    let data = held === undefined ? chunk : Buffer.concat([held, chunk])
    held = undefined
    while (data.length > 0) {
      const start = data.toString('latin1', 0, CONTINUE_BEGUN.length)
      const isContinue = CONTINUE.test(start)
      const end = isContinue ? data.indexOf('\r\n\r\n') : -1
      if (end !== -1) {
        data = data.subarray(end + 4)
      } else if ((isContinue || mayBecomeContinue(start)) && data.length < LONGEST_HEAD) {
        held = data
        return null
      } else {
        awaitsHead = false
        return data
      }
    }
    return null
  } as typeof socket.read
}

function mayBecomeContinue(start: string): boolean {
  return (
    start.length < CONTINUE_BEGUN.length && CONTINUE_BEGUN.startsWith(start.replace('HTTP/1.0', 'HTTP/1.1'))
  )
}
