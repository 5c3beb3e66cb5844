import type { Socket } from 'node:net'
import type { Milliseconds } from '../../src/clock.js'

/** The time (ms) that a client may take to close its side before the connection is destroyed. */
const MAX_CLOSE_TIME: Milliseconds = 2_000

/**
 * Sends the last data, closes our side, and reads until the client has closed its side, too (RFC 9112 §9.6). If the
 * connection were destroyed with unread bytes, the system would reset it, and the client could lose the last response. A
 * client that neither reads nor closes loses its connection after 2 s.
 */
export function closeGently(socket: Socket, last = ''): void {
  socket.end(last)
  const timer = setTimeout(() => socket.destroy(), MAX_CLOSE_TIME)
  socket.once('close', () => clearTimeout(timer))
}
