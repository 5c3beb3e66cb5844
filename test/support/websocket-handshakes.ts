/** WebSocket handshakes as raw bytes, and whoever sends and gets them. */
import net from 'node:net'
import type { Test } from 'tap'
import type { Overrides } from './gateway-process.js'
import { startGateway } from './gateway-process.js'
import { head } from './wire.js'
import { until } from './forwarding.js'

/** The example of RFC 6455 §1.3. */
export const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
export const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='

export const ASKS = ['Connection: Upgrade', 'Upgrade: websocket', `Sec-WebSocket-Key: ${KEY}`]
export const handshake = (...more: readonly string[]) =>
  head('GET /live HTTP/1.1', 'Host: x', ...ASKS, 'Sec-WebSocket-Version: 13', ...more)

/** The answer that it is given. */
export const switching = (...more: readonly string[]) =>
  head('HTTP/1.1 101 Switching Protocols', ...ASKS.slice(0, 2), `Sec-WebSocket-Accept: ${ACCEPT}`, ...more)

/** What a peer has after the head that ends in an empty line. */
export const afterHead = (text: string) => text.slice(text.indexOf('\r\n\r\n') + 4)

export const isHead = (text: string) => text.includes('\r\n\r\n')

/** An `onData` of `rawUpstream`: agrees to handshakes, and sends `more` at once. */
export const agrees =
  (more = '') =>
  (socket: net.Socket, seen: string) => {
    if (socket.bytesWritten === 0 && isHead(seen)) socket.write(switching() + more)
  }

export interface Client {
  readonly socket: net.Socket
  /** All that came, as Latin-1. */
  readonly text: string
  /** How the other side ended it; undefined: it hasn't. */
  readonly end: 'end' | 'reset' | undefined
  /** Waits until the whole of it passes. */
  got(what: string, holds?: (text: string) => boolean): Promise<string>
  ended(): Promise<'end' | 'reset'>
}

/** Connects, sends the bytes (Latin-1), and closes when the other side does. */
export function client(t: Test, port: number, bytes = ''): Client {
  const socket = net.connect(port, '127.0.0.1')
  t.teardown(() => socket.destroy())
  socket.write(Buffer.from(bytes, 'latin1'))
  let text = ''
  let end: Client['end']
  socket.on('data', (chunk) => (text += chunk.toString('latin1')))
  socket.on('end', () => (end ??= 'end'))
  socket.on('error', () => (end ??= 'reset'))
  return {
    socket,
    get text() {
      return text
    },
    get end() {
      return end
    },
    async got(what, holds = (all) => all.includes(what)) {
      await until(`the client gets ${what}`, () => holds(text))
      return text
    },
    async ended() {
      await until('the connection of the client ends', () => end !== undefined)
      return end!
    },
  }
}

/** A gateway that lets everybody through to a port, or origins; gives its own port. */
export async function open(t: Test, upstream: number | readonly string[], overrides: Overrides = {}) {
  const origins = typeof upstream === 'number' ? `http://127.0.0.1:${upstream}` : upstream
  const routes = [{ path: '/', upstream: origins, auth: 'none' }]
  return Number(new URL((await startGateway(t, { routes, ...overrides })).url).port)
}
