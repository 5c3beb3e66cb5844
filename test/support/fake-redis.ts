/** A server that speaks Redis' protocol (RESP2) and replies what a test wants, when it wants. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import type { Scope } from './scope.js'

export interface Peer {
  /** Sends what is RESP already. */
  send(resp: string): void
  readonly socket: Socket
}

export interface FakeRedis {
  readonly port: number
  /** Connections so far. */
  connections(): number
}

/** Gives the reply as RESP. The connection's next command waits for it, as with Redis. */
export type Handler = (command: readonly string[], peer: Peer) => string | Promise<string>

export const bulk = (text: string) => `$${Buffer.byteLength(text)}\r\n${text}\r\n`
export const array = (...texts: readonly string[]) => `*${texts.length}\r\n${texts.map(bulk).join('')}`

/** It knows only RESP2, and accepts CLIENT; everything else is the handler's. */
export async function startFakeRedis(t: Scope, handle: Handler): Promise<FakeRedis> {
  const sockets = new Set<Socket>()
  let connections = 0
  const server = createServer((socket) => {
    connections += 1
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => sockets.delete(socket))
    const peer: Peer = { socket, send: (resp) => void socket.write(resp) }
    let [received, replied] = ['', Promise.resolve()]
    socket.on('data', (chunk) => {
      received += chunk.toString()
      for (;;) {
        const [command, rest] = takeCommand(received)
        if (!command) return
        received = rest
        replied = replied.then(async () => peer.send(await replyTo(command, peer, handle)))
      }
    })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return { port: (server.address() as AddressInfo).port, connections: () => connections }
}

function replyTo([name = '', ...args]: readonly string[], peer: Peer, handle: Handler) {
  switch (name.toUpperCase()) {
    case 'HELLO':
      return '-NOPROTO unsupported protocol version\r\n'
    case 'CLIENT':
      return '+OK\r\n'
    default:
      return handle([name.toUpperCase(), ...args], peer)
  }
}

/** The first command in the text, once it has arrived whole, and the text behind it. */
function takeCommand(text: string): [command: string[] | undefined, rest: string] {
  const parts = text.split('\r\n')
  const count = Number(parts[0]?.slice(1))
  if (!text.startsWith('*') || parts.length < 1 + 2 * count + 1) return [undefined, text]
  const words = Array.from({ length: count }, (_, i) => parts[2 + 2 * i]!)
  return [words, parts.slice(1 + 2 * count).join('\r\n')]
}
